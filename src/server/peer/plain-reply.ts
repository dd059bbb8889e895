import { utf8 } from "../../base/bytes.ts";
import type { PeerReply } from "./peer-port.ts";

/** What a service of the peer port says in words, as Go's http.Error writes it. */
export function plainReply(status: number, text: string): PeerReply {
  return { status, contentType: "text/plain; charset=utf-8", body: utf8(`${text}\n`) };
}
