// Loads src/raft with its private fields as ordinary ones, so that a test can read the whole state
// of a node without naming any of it: a field added later is part of the state by itself. Import
// this file first, and the modules of src/raft by `await import`.
import { registerHooks } from "node:module";

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.includes("/src/raft/") || loaded.source === undefined) return loaded;
    const source =
      typeof loaded.source === "string" ? loaded.source : new TextDecoder().decode(loaded.source);
    return { ...loaded, source: source.replace(/#([a-zA-Z]\w*)/g, "_$1") };
  },
});
