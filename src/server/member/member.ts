/** One member of the cluster, as etcd stores and lists it. */
export interface Member {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
  /** Empty until the member has started and published itself. */
  readonly name: string;
  readonly clientUrls: readonly string[];
}

/** What the context of a ConfChange says. */
export interface MemberChange {
  readonly member: Member;
  /** The learner `member.id` becomes a voter; the rest of `member` is empty. */
  readonly isPromote: boolean;
}

/** etcd's JSON of a member: the `members` row and the context of a ConfChange. */
export function encodeMember(member: Member): string {
  return `{${memberFields(member).join(",")}}`;
}

/** Context of the ConfChange that makes a learner a voter. */
export function encodePromotion(id: bigint): string {
  return `{"id":${id},"peerURLs":null,"isPromote":true}`;
}

/** The answer of a peer's `/members`. */
export function encodeMembers(members: readonly Member[]): string {
  return `[${members.map(encodeMember).join(",")}]`;
}

function memberFields(member: Member): string[] {
  const peerUrls = member.peerUrls.length === 0 ? "null" : jsonText(member.peerUrls);
  const fields = [`"id":${member.id}`, `"peerURLs":${peerUrls}`];
  if (member.isLearner) fields.push('"isLearner":true');
  if (member.name !== "") fields.push(`"name":${jsonText(member.name)}`);
  if (member.clientUrls.length > 0) fields.push(`"clientURLs":${jsonText(member.clientUrls)}`);
  return fields;
}

/** Reads what {@link encodeMember} writes, Go's included. Throws on anything else. */
export function decodeMember(text: string): Member {
  return toMember(parseWithExactIds(text));
}

/** As {@link decodeMember}, for the context of a ConfChange. */
export function decodeMemberChange(text: string): MemberChange {
  const raw = parseWithExactIds(text);
  return { member: toMember(raw), isPromote: isRecord(raw) && raw["isPromote"] === true };
}

/** Reads what {@link encodeMembers} writes. Throws on anything else. */
export function decodeMembers(text: string): Member[] {
  const raw = parseWithExactIds(text);
  if (raw === null) return [];
  if (!Array.isArray(raw)) throw new TypeError("not a list of members");
  return raw.map(toMember);
}

/** Ids are JSON numbers up to 2^64: a plain JSON.parse would round them. */
function parseWithExactIds(text: string): unknown {
  // Inside a string the quotes would be escaped, so this finds only the fields.
  return JSON.parse(text.replace(/("id":\s*)(\d+)/g, '$1"$2"'));
}

function toMember(raw: unknown): Member {
  if (!isRecord(raw)) throw new TypeError("a member is not an object");
  const { id, peerURLs, isLearner, name, clientURLs } = raw;
  if (typeof id !== "string" || !/^\d{1,20}$/.test(id)) throw new TypeError("a member without id");
  const number = BigInt(id);
  if (number >= 2n ** 64n) throw new TypeError(`member id ${id} has more than 64 bits`);
  return {
    id: number,
    peerUrls: texts(peerURLs),
    isLearner: isLearner === true,
    name: typeof name === "string" ? name : "",
    clientUrls: texts(clientURLs),
  };
}

function texts(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw new TypeError("URLs of a member are not a list of texts");
  }
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** JSON as Go writes it: escapes for HTML, so that equal members give equal rows. */
function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(
    /[&<>\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
