/** The composition root: every part of one member, connected. */
import type { StartServer } from "./start.ts";

export const startServer: StartServer = () =>
  Promise.reject(new Error("the parts of the server are not connected yet"));
