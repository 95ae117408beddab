import { z } from "zod";
import { isLoopback } from "../superoffice/trustedHost.ts";
import { SettingsError } from "./errors.ts";
import { faultsOf, readSettings, type RunSettings, type Target } from "./settings.ts";
import type { Variables } from "./variables.ts";

/** Where the answer to an approval is waited for. */
export interface Listening {
  /** Where the browser brings it, as it is registered. */
  redirectUrl: string;
  /** The addresses of this machine that are listened on. */
  addresses: string[];
  port: number;
  /** By which names the listener may be asked, each a host with its port where it is not the usual one. */
  hosts: string[];
}

/** What an approval needs beside what the console does. */
export interface ApprovalSettings {
  run: RunSettings;
  target: Target;
  clientId: string;
  listening: Listening;
}

const DEFAULT_REDIRECT_URL = "http://127.0.0.1:3300/openid/callback";
const LISTEN_FORM = "expected host:port of this machine, as in 127.0.0.1:3300";

const approvalSchema = z.object({
  SUPEROFFICE_CLIENT_ID: z.string({
    error: "missing; expected the application's client id from the developer portal",
  }).regex(
    /^[\x21-\x7e]+$/,
    "expected letters, digits and signs without blanks, as the portal shows it",
  ),
  SUPEROFFICE_REDIRECT_URL: z.string().refine(
    isRedirectUrl,
    "expected a redirect URL that the developer portal has, https (http for this machine alone), without ? and #",
  ).default(DEFAULT_REDIRECT_URL),
  LISTEN: z.string().refine((text) => readListen(text) !== undefined, LISTEN_FORM).optional(),
}).refine(
  ({ SUPEROFFICE_REDIRECT_URL: url, LISTEN }) =>
    LISTEN !== undefined || !isRedirectUrl(url) || isLoopback(new URL(url)),
  {
    path: ["LISTEN"],
    error:
      `missing; ${LISTEN_FORM}, where what answers at SUPEROFFICE_REDIRECT_URL passes requests on to`,
    when: () => true,
  },
);

/**
 * Reads all that an approval needs, and imports the private key. Throws {@link SettingsError} with every fault.
 *
 * @param warnings what explains a fault, perhaps: it is told beside them
 */
export async function readApprovalSettings(
  variables: Variables,
  warnings: string[],
): Promise<ApprovalSettings> {
  const { data, error } = approvalSchema.safeParse(variables);
  const more = [...(error === undefined ? [] : faultsOf(error)), ...warnings];
  const settings = await readSettings(variables, more);
  if (data === undefined) throw new SettingsError(more);
  return { ...settings, ...ownOf(data) };
}

/** Reads what an approval needs beside a demo. Throws {@link SettingsError}. */
export function readDemoApproval(
  variables: Variables,
  clientId: string,
): Pick<ApprovalSettings, "clientId" | "listening"> {
  const { data, error } = approvalSchema.safeParse({
    ...variables,
    SUPEROFFICE_CLIENT_ID: clientId,
  });
  if (data === undefined) throw new SettingsError(faultsOf(error));
  return ownOf(data);
}

function ownOf(data: z.infer<typeof approvalSchema>) {
  const { SUPEROFFICE_CLIENT_ID: clientId, SUPEROFFICE_REDIRECT_URL: url, LISTEN } = data;
  return { clientId, listening: listeningAt(url, LISTEN) };
}

/** Where is listened for these settings; undefined where they are wrong. */
export function findListening(variables: Variables): Listening | undefined {
  const { SUPEROFFICE_REDIRECT_URL: url = DEFAULT_REDIRECT_URL, LISTEN: listen } = variables;
  if (!isRedirectUrl(url) || (listen !== undefined && readListen(listen) === undefined)) {
    return undefined;
  }
  return listeningAt(url, listen);
}

function listeningAt(redirectUrl: string, listen: string | undefined): Listening {
  const { protocol, hostname, host, port } = new URL(redirectUrl);
  const own = listen === undefined ? undefined : readListen(listen);
  const usualPort = protocol === "https:" ? 443 : 80;
  const { name, at } = own ?? { name: hostname, at: Number(port) || usualPort };
  // What passes requests on may ask by the name that it knows.
  const hosts = own === undefined || isEveryAddress(name) ? [host] : [host, `${name}:${at}`];
  return { redirectUrl, addresses: addressesOf(name), port: at, hosts };
}

/** `localhost` is either of two addresses, by the browser's choice. */
function addressesOf(name: string): string[] {
  return name === "localhost" ? ["127.0.0.1", "::1"] : [name.replace(/^\[|\]$/g, "")];
}

function isEveryAddress(name: string): boolean {
  return name === "0.0.0.0" || name === "[::]";
}

function readListen(text: string): { name: string; at: number } | undefined {
  const [, name, port] = text.match(/^(\[[\da-f:.]+\]|[\w.-]+):(\d{1,5})$/i) ?? [];
  const at = Number(port);
  if (name === undefined || !(at >= 1 && at <= 65535)) return undefined;
  return URL.canParse(`http://${name}:${at}`) ? { name: name.toLowerCase(), at } : undefined;
}

function isRedirectUrl(text: string): boolean {
  if (!URL.canParse(text) || !/^[\x21-\x7e]{1,1000}$/.test(text) || /[?#]/.test(text)) return false;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url));
}
