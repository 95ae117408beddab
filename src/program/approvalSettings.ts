import { z } from "zod";
import { isLoopback } from "../superoffice/trustedHost.ts";
import { SettingsError } from "./errors.ts";
import {
  DEFAULT_REDIRECT_URL,
  isRedirectUrl,
  type Listening,
  listeningAt,
  readListen,
} from "./listening.ts";
import { faultsOf, readSettings, type RunSettings, type Target } from "./settings.ts";
import type { Variables } from "./variables.ts";

/** What an approval needs beside what the console does. */
export interface ApprovalSettings {
  run: RunSettings;
  target: Target;
  clientId: string;
  listening: Listening;
}

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
