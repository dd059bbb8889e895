/** X.509 certificates for tests, written by hand in DER: no program and no file is needed. */
import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
  readonly commonName: string;
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const length =
    body.length < 128
      ? Buffer.from([body.length])
      : body.length < 256
        ? Buffer.from([0x81, body.length])
        : Buffer.from([0x82, body.length >> 8, body.length & 255]);
  return Buffer.concat([Buffer.from([tag]), length, body]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const oid = (...bytes: readonly number[]): Buffer => der(0x06, Buffer.from(bytes));
const ecdsaWithSha256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
const commonNameOid = oid(0x55, 0x04, 0x03);

function nameOf(commonName: string): Buffer {
  return sequence(der(0x31, sequence(commonNameOid, der(0x0c, Buffer.from(commonName)))));
}

function utcTime(year: number): Buffer {
  return der(0x17, Buffer.from(`${String(year % 100).padStart(2, "0")}0101000000Z`));
}

function extension(id: Buffer, value: Buffer): Buffer {
  return sequence(id, der(0x04, value));
}

/**
 * A certificate for `commonName`, localhost and the loopback addresses; signed by itself or `ca`.
 */
export function makeCertificate(
  commonName: string,
  ca?: TestCertificate,
  lastYear = 2049,
): TestCertificate {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = pair.publicKey.export({ type: "spki", format: "der" });
  const signer: KeyObject = ca === undefined ? pair.privateKey : createPrivateKey(ca.key);
  const names = sequence(
    der(0x82, Buffer.from("localhost")),
    der(0x87, Buffer.from([127, 0, 0, 1])),
    der(0x87, Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
  );
  const isCa = ca === undefined ? der(0x01, Buffer.from([0xff])) : Buffer.alloc(0);
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1, commonName.length])),
    ecdsaWithSha256,
    nameOf(ca?.commonName ?? commonName),
    sequence(utcTime(2020), utcTime(lastYear)),
    nameOf(commonName),
    spki,
    der(
      0xa3,
      sequence(
        extension(oid(0x55, 0x1d, 0x13), sequence(isCa)),
        extension(oid(0x55, 0x1d, 0x11), names),
      ),
    ),
  );
  const signature = sign("sha256", body, signer);
  const whole = sequence(body, ecdsaWithSha256, der(0x03, Buffer.from([0]), signature));
  const lines = whole
    .toString("base64")
    .match(/.{1,64}/g)!
    .join("\n");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: pair.privateKey.export({ type: "pkcs8", format: "pem" }),
    commonName,
  };
}
