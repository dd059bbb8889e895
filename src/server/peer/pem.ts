/** PEM as node:tls takes it. */
export function toPem(pem: string | Uint8Array): string {
  return typeof pem === "string" ? pem : new TextDecoder().decode(pem);
}
