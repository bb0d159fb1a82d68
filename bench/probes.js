/** What is measured inside of a page. It is there before the page's own scripts, and touches nothing of the page. */
window.probe = {
  /** When each change that was waited for had been painted, by the job's id, in milliseconds since 1970. */
  seen: {},
};

{
  const probe = window.probe;
  /** A row of a list or of a tree, of Flower's tasks (its "no data" row has one cell), or a node. */
  const USABLE =
    ":is([role=grid], [role=treegrid], [role=tree]) :is([role=gridcell], [role=treeitem]) a[href], #tasks-table tbody td + td, .react-flow__node";
  const waited = new Map();
  let sinceMs = 0;

  /** Calls after the next picture, when the page can take input again. */
  const painted = (then) => {
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = then;
      port2.postMessage(null);
    });
  };

  const isThere = (id, word) => {
    const link = document.querySelector(`a[href$="/jobs/${CSS.escape(id)}"]`);
    return link?.closest("[role=row]")?.textContent.toLowerCase().includes(word) ?? false;
  };

  let isFound = false;
  let found;
  /** When the first row that can be used had been painted, in milliseconds after the document. */
  probe.usable = new Promise((resolve) => {
    found = resolve;
  });

  new MutationObserver(() => {
    if (!isFound && document.querySelector(USABLE)) {
      isFound = true;
      painted(() => {
        found(performance.now() - performance.getEntriesByType("navigation")[0].responseEnd);
      });
    }
    for (const [id, word] of waited)
      if (isThere(id, word)) {
        waited.delete(id);
        painted(() => {
          probe.seen[`${id} ${word}`] = Date.now();
        });
      }
  }).observe(document, { childList: true, subtree: true, characterData: true, attributes: true });

  /** Note when a job's row says so. */
  probe.await = (id, word) => {
    waited.set(id, word);
  };

  /** Note the longest time between two pictures, and the longest task, from now on. */
  probe.watchFrames = () => {
    probe.frames = { count: 0, longest_ms: 0, over_100_ms: 0, longest_task_ms: 0 };
    const next = (now) => {
      if (sinceMs) {
        probe.frames.count += 1;
        probe.frames.longest_ms = Math.max(probe.frames.longest_ms, now - sinceMs);
        probe.frames.over_100_ms += now - sinceMs > 100 ? 1 : 0;
      }
      sinceMs = now;
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries())
        probe.frames.longest_task_ms = Math.max(probe.frames.longest_task_ms, duration);
    }).observe({ entryTypes: ["longtask"] });
  };

  /** What the page has loaded from its own files, as it came over the network, in bytes. */
  probe.loaded = () =>
    performance
      .getEntriesByType("resource")
      .filter(({ name }) => !new URL(name).pathname.startsWith("/api/"))
      .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0) +
    performance.getEntriesByType("navigation")[0].encodedBodySize;
}
