/**
 * TLS towards one endpoint. Own credentials instead of those grpc-js makes, because certificates
 * may be renewed between connections, an IP address must not be sent as a server name, and the
 * reason of a failed handshake is wanted as it is.
 */
import type { Socket } from "node:net";
import { isIP } from "node:net";
import { connect, createSecureContext, type ConnectionOptions } from "node:tls";

import { ChannelCredentials, credentials, type CallCredentials } from "@grpc/grpc-js";

import type { Pem, TlsOptions } from "./client-options.ts";

type SecureConnector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

function pem(value: Pem): string | Buffer {
  return typeof value === "string" ? value : Buffer.from(value);
}

function pemList(value: Pem | readonly Pem[]): (string | Buffer)[] {
  return typeof value === "string" || value instanceof Uint8Array ? [pem(value)] : value.map(pem);
}

/** Throws what Node says of a certificate or key that it cannot read. */
function connectionOptions(options: TlsOptions, host: string): ConnectionOptions {
  const { ca, cert, key, passphrase, serverName } = options;
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError("TLS options cert and key go together");
  }
  const name = serverName ?? host;
  const secureContext = createSecureContext({
    ...(ca === undefined ? {} : { ca: pemList(ca) }),
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(passphrase === undefined ? {} : { passphrase }),
  });
  return {
    secureContext,
    ALPNProtocols: ["h2"],
    host: name,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(options.insecureSkipVerify === true ? { rejectUnauthorized: false } : {}),
  };
}

function handshake(socket: Socket, options: ConnectionOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const secure = connect({ ...options, socket }, () => {
      secure.off("error", reject);
      if (secure.alpnProtocol === "h2") resolve(secure);
      else reject(new Error("the server's TLS offers no HTTP/2"));
    });
    secure.once("error", reject);
  });
}

export class TlsCredentials extends ChannelCredentials {
  readonly #options: () => TlsOptions;
  readonly #host: string;
  readonly #onFailure: (error: Error) => void;

  /** @param onFailure hears why a handshake failed: grpc-js keeps only its text. */
  constructor(options: () => TlsOptions, host: string, onFailure: (error: Error) => void) {
    super();
    this.#options = options;
    this.#host = host;
    this.#onFailure = onFailure;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    _target: unknown,
    _options: unknown,
    callCredentials?: CallCredentials,
  ): SecureConnector {
    return {
      connect: async (socket) => {
        try {
          const options = connectionOptions(this.#options(), this.#host);
          return { socket: await handshake(socket, options), secure: true };
        } catch (error) {
          if (error instanceof Error) this.#onFailure(error);
          throw error;
        }
      },
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials ?? credentials.createEmpty(),
      destroy: () => undefined,
    };
  }
}
