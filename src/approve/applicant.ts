import { createHttpClient } from "../console/requests/httpClient.ts";
import type { Database } from "../database/connection.ts";
import type { ApprovalSettings } from "../program/approvalSettings.ts";
import { createSuperOffice } from "../superoffice/createSuperOffice.ts";
import { createKeySet } from "../superoffice/keySet.ts";
import { createSigner } from "../superoffice/signToken.ts";
import { type Asked, askForApproval, readLoginHost } from "./flow.ts";
import { createSettle, type Settle, type Wanted } from "./settle.ts";

/** Who asks for approvals. */
export interface Applicant {
  /** Makes a request for approval. */
  ask: () => Promise<Asked>;
  settle: Settle;
}

/** Puts together what asks for approvals with these settings. Throws what reading the login host throws. */
export async function createApplicant(
  { run, target, clientId, listening: { redirectUrl } }: ApprovalSettings,
  wanted: Wanted,
  database: Database,
): Promise<Applicant> {
  const send = createHttpClient(new AbortController().signal, run.requestTimeoutMs, run.proxies);
  const client = { ...target, clientId, redirectUrl };
  const loginHost = await readLoginHost(target.loginUrl, send);
  const keySet = createKeySet(target.loginUrl, send);
  const privateKey = createSigner(target.privateKey);
  const { logOn } = await createSuperOffice({ ...target, privateKey, send });
  const means = { send, keySet, logOn, database };
  return {
    ask: () => askForApproval(loginHost, client, wanted.customer),
    settle: createSettle(client, loginHost, wanted, means),
  };
}
