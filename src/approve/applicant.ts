import { createHttpClient } from "../console/requests/httpClient.ts";
import type { Secrets } from "../console/wanted.ts";
import type { Database } from "../database/connection.ts";
import type { ApprovalSettings } from "../program/approvalSettings.ts";
import { createSuperOffice } from "../superoffice/createSuperOffice.ts";
import { createKeySet } from "../superoffice/keySet.ts";
import { createSigner } from "../superoffice/signToken.ts";
import { type Asked, askForApproval, readLoginHost } from "./flow.ts";
import { createSettle, type Outcome, type Wanted } from "./settle.ts";

/** Who asks for approvals. */
export interface Applicant {
  /** Makes a request for approval. */
  ask: () => Promise<Asked>;
  /** Goes from the answer to a request to a customer that is logged on to. */
  settle: (answer: URLSearchParams, asked: Omit<Asked, "address">) => Promise<Outcome>;
}

/** Puts together what asks for approvals with these settings. Throws what reading the login host throws. */
export async function createApplicant(
  { run, target, clientId, listening: { redirectUrl } }: ApprovalSettings,
  wanted: Wanted,
  database: Database,
  secrets: Secrets,
): Promise<Applicant> {
  const send = createHttpClient(new AbortController().signal, run.requestTimeoutMs, run.proxies);
  const client = { ...target, clientId, redirectUrl };
  const loginHost = await readLoginHost(target.loginUrl, send);
  const keySet = createKeySet(target.loginUrl, send);
  const privateKey = createSigner(target.privateKey);
  const { logOn } = await createSuperOffice({ ...target, privateKey, send });
  const means = { send, keySet, logOn, database, secrets };
  return {
    ask: () => askForApproval(loginHost, client, wanted.customer),
    settle: createSettle(client, loginHost, wanted, means),
  };
}
