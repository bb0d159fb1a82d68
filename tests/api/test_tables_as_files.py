"""Jobs on tables, through the API and a worker: a result too large for its record is a file, which others read."""

import hashlib

from support.serving import job

ROWS = [{"n": number, "text": "x" * 20} for number in range(3_000)]


def test_a_result_that_is_too_large_for_the_record_is_a_file_and_the_next_job_reads_it(api, results_folder):
    first = api.launch(job("data_processing", {"rows": ROWS}))
    done = api.expect(first, "completed")
    result, file = done["result"], done["result"]["file"]
    assert done["result_omitted_bytes"] is None
    assert 0 < len(result["rows"]) < len(ROWS)
    assert (result["total_rows"], result["truncated"], file["rows"]) == (3_000, True, 3_000)
    data = (results_folder / file["file"]).read_bytes()
    assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    total = {"step": "aggregate", "values": {"sum": {"function": "sum", "column": "n"}}}
    for document_id in (file["document_id"], f"result:{first}"):
        second = api.launch(job("data_processing", {"document_id": document_id, "steps": [total]}))
        assert api.expect(second, "completed")["result"]["rows"] == [{"sum": 4_498_500}]


def test_a_table_that_is_not_there_fails_the_job_in_plain_words(api):
    failed = api.launch(job("data_processing", {"document_id": "result:missing"}))
    assert "there is no 'result:missing' in RESULTS_DIR" in api.expect(failed, "failed")["error"]["message"]
