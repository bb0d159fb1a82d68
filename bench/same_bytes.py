"""A FastAPI route that does nothing but answer, with the bytes of a file (BENCH_BODY), on BENCH_PORT."""

import os
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response

app = FastAPI()
_BODY = Path(os.environ["BENCH_BODY"]).read_bytes()


@app.get("/")
def answer() -> Response:
    """Answer."""
    return Response(_BODY, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), access_log=False)
