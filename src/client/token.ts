/**
 * The credentials that travel with calls: none, a fixed token, or tokens fetched for a user.
 *
 * TO1  At most one token is being fetched at a time; all calls that need it wait for that one.
 * TO2  A token that was refused is dropped only if it is still the current one: a late refusal of
 *      an old token costs nothing.
 */
import type { OutgoingHttpHeaders } from "node:http2";

import { Metadata } from "@grpc/grpc-js";

import { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";
import type { Method } from "./caller.ts";
import type { ClientSettings } from "./client-options.ts";
import { AuthNotEnabledError } from "./errors.ts";

/** Major and minor version of the API that this client was written for; servers count it. */
const apiVersion = "3.7";

/** Made once per token: grpc-js asks it for the headers of each call. */
class CallMetadata extends Metadata {
  readonly #token: string;
  readonly #requireLeader: boolean;

  constructor(token: string, requireLeader: boolean) {
    super();
    this.#token = token;
    this.#requireLeader = requireLeader;
  }

  override toHttp2Headers(): OutgoingHttpHeaders {
    const headers: OutgoingHttpHeaders = { "client-api-version": apiVersion };
    if (this.#token !== "") headers["token"] = this.#token;
    if (this.#requireLeader) headers["hasleader"] = "true";
    return headers;
  }
}

/** The metadata of calls under one token. */
export interface Ticket {
  readonly token: string;
  readonly plain: Metadata;
  readonly leader: Metadata;
}

function makeTicket(token: string): Ticket {
  return {
    token,
    plain: new CallMetadata(token, false),
    leader: new CallMetadata(token, true),
  };
}

/** For calls that need no token. */
export const openTicket: Ticket = makeTicket("");

export interface User {
  readonly name: string;
  readonly password: string;
}

export class TokenSource {
  readonly user: User | null;
  readonly hasFixedToken: boolean;
  readonly #fetch: (user: User) => Promise<string>;
  #ticket: Ticket | null;
  #fetching: Promise<void> | null = null;

  /** @param fetch asks a member for a token. */
  constructor(
    settings: Pick<ClientSettings, "user" | "token">,
    fetch: (user: User) => Promise<string>,
  ) {
    this.user = settings.user;
    this.hasFixedToken = settings.token !== "";
    this.#fetch = fetch;
    this.#ticket = settings.user === null ? makeTicket(settings.token) : null;
  }

  /** Null: none is known; `fetch` first. */
  get ticket(): Ticket | null {
    return this.#ticket;
  }

  /** Rejects as the authentication failed: wrong password, no connection. */
  fetch(): Promise<void> {
    if (this.#ticket !== null) return Promise.resolve();
    this.#fetching ??= this.#fetchOnce().finally(() => (this.#fetching = null));
    return this.#fetching;
  }

  refused(ticket: Ticket): void {
    if (this.user !== null && this.#ticket === ticket) this.#ticket = null; // TO2
  }

  /** A stream's answer, not its status, refused the token. */
  refusedInStream(): void {
    if (this.user !== null) this.#ticket = null;
  }

  async #fetchOnce(): Promise<void> {
    try {
      this.#ticket = makeTicket(await this.#fetch(this.user!));
    } catch (error) {
      if (!(error instanceof AuthNotEnabledError)) throw error;
      this.#ticket = openTicket; // until a call is told otherwise
    }
  }
}

const tagName = 0x0a;
const tagPassword = 0x12;
const tagToken = 0x12;

export const authenticate: Method<User, string> = {
  path: "/etcdserverpb.Auth/Authenticate",
  retry: "read", // a token too many expires by itself
  encode({ name, password }) {
    const out = new Writer(64);
    const utf8 = new TextEncoder();
    out.bytesField(tagName, utf8.encode(name));
    if (password !== "") out.bytesField(tagPassword, utf8.encode(password));
    return out.view();
  },
  decode(bytes) {
    const reader = new Reader(bytes);
    let token = "";
    while (reader.next()) {
      if (reader.tag === tagToken) token = reader.string();
      else reader.skip();
    }
    return token;
  },
};
