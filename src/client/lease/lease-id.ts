/** A lease's id as etcdctl prints it and as lock keys hold it. */
export function leaseIdText(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16);
}
