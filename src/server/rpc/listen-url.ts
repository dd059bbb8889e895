/** Listen URLs: http(s)://host:port, unix(s)://path. */

export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly isTls: boolean }
  | { readonly kind: "unix"; readonly path: string; readonly isTls: boolean };

/** The address of a listen URL, or the reason it has none. */
export function parseListenUrl(url: string): ListenAddress | string {
  const unix = /^(unixs?):\/\/(.+)$/.exec(url);
  if (unix !== null) return { kind: "unix", path: unix[2]!, isTls: unix[1] === "unixs" };
  const tcp = /^(https?):\/\/(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^[\]:/]*)):([0-9]{1,5})\/?$/.exec(url);
  if (tcp === null) return `cannot listen on "${url}": want scheme://host:port or unix://path`;
  const port = Number(tcp[4]);
  if (port > 65535) return `cannot listen on "${url}": port above 65535`;
  return { kind: "tcp", host: tcp[2] ?? tcp[3] ?? "", port, isTls: tcp[1] === "https" };
}
