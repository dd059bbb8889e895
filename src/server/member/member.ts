/** One member of the cluster, as etcd stores and lists it. */
export interface Member {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
  /** Empty until the member has started and published itself. */
  readonly name: string;
  readonly clientUrls: readonly string[];
}

/** etcd's JSON of a member: the `members` row and the context of a ConfChange. */
export function encodeMember(member: Member): string {
  const fields = [`"id":${member.id}`, `"peerURLs":${jsonText(member.peerUrls)}`];
  if (member.isLearner) fields.push('"isLearner":true');
  if (member.name !== "") fields.push(`"name":${jsonText(member.name)}`);
  if (member.clientUrls.length > 0) fields.push(`"clientURLs":${jsonText(member.clientUrls)}`);
  return `{${fields.join(",")}}`;
}

/** Reads what {@link encodeMember} writes. Throws on anything else: rows and contexts are ours. */
export function decodeMember(text: string): Member {
  const raw = parseWithExactIds(text);
  return {
    id: raw.id,
    peerUrls: raw.peerURLs ?? [],
    isLearner: raw.isLearner ?? false,
    name: raw.name ?? "",
    clientUrls: raw.clientURLs ?? [],
  };
}

interface RawMember {
  id: bigint;
  peerURLs?: string[] | null;
  isLearner?: boolean;
  name?: string;
  clientURLs?: string[] | null;
}

/** Ids are JSON numbers up to 2^64: a plain JSON.parse would round them. */
function parseWithExactIds(text: string): RawMember {
  const quoted = text.replace(/("id":\s*)(\d+)/, '$1"$2"');
  const raw = JSON.parse(quoted) as Omit<RawMember, "id"> & { id: string };
  return { ...raw, id: BigInt(raw.id) };
}

/** JSON as Go writes it: `<`, `>` and `&` escaped, so that equal members give equal rows. */
function jsonText(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll("&", "\\u0026")
    .replaceAll("<", "\\u003c")
    .replaceAll(">", "\\u003e");
}
