/** Endpoints of a cluster from the SRV records of a domain. */
import { resolveSrv } from "node:dns/promises";
import { ExitError, exitCode } from "../cli/run.ts";

/** With TLS first, then those without; each in the order of the records. @throws ExitError */
export async function findEndpoints(domain: string, serviceName: string): Promise<string[]> {
  const suffix = serviceName === "" ? "" : `-${serviceName}`;
  const answers = await Promise.allSettled([
    lookUp("https", `_etcd-client-ssl${suffix}._tcp.${domain}`),
    lookUp("http", `_etcd-client${suffix}._tcp.${domain}`),
  ]);
  const failures = answers.filter((answer) => answer.status === "rejected");
  if (failures.length === answers.length) {
    const texts = failures.map(({ reason }) => (reason as Error).message);
    throw new ExitError(exitCode.error, `dns lookup errors: ${texts.join(" and ")}`);
  }
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
}

async function lookUp(scheme: string, name: string): Promise<string[]> {
  const records = await resolveSrv(name);
  return records
    .sort((a, b) => a.priority - b.priority || b.weight - a.weight)
    .map((record) => `${scheme}://${record.name}:${record.port}`);
}
