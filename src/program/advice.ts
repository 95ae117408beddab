/** What this program knows of a cause of trouble beyond what its error says. */
export interface Advice {
  /** What the code means, for who looks it up. */
  means: string;
  /** What the likely causes are, for the doctor. */
  likely?: string;
  /** What is added to the error's remedy: where it is set here. Without an error: for who looks the code up. */
  here?: string | ((error?: Error) => string);
}

const NO_WAY_THERE =
  "no network, a proxy or firewall in between, or a slip in SUPEROFFICE_LOGIN_URL";

/** The one table of advice, by the errors' codes: the log, the doctor and the page of refusals say what stands here. */
export const ADVICE: Record<string, Advice> = {
  TOKEN_REVOKED: {
    means: "the customer withdrew its approval",
    likely:
      "the customer's administrator withdrew the approval; or the row holds the token of an earlier one",
    here: "Or set is_active to false in its row.",
  },
  ACCESS_DENIED: {
    means: "this application may not enter this customer in this environment",
    likely:
      "SUPEROFFICE_CLIENT_SECRET is another application's or environment's, or was replaced in the developer " +
      "portal; or the row's system_user_token is not this customer's",
    here:
      "Set here: SUPEROFFICE_ENVIRONMENT, SUPEROFFICE_CLIENT_SECRET; the row's token: npm run customers -- add … " +
      "--token-stdin --replace.",
  },
  NEEDS_REAPPROVAL: { means: "the application changed since the customer approved it" },
  APPROVAL_EXPIRED: { means: "the approval is not valid any more" },
  TOKEN_MISSING: {
    means: "the row holds no system user token",
    here: "Done here: npm run customers -- add … --token-stdin --replace.",
  },
  CONTEXT_IDENTIFIER_WRONG: {
    means: "the row's context identifier cannot be one; nothing was asked",
    here: "Set here: context_identifier in the row.",
  },
  SIGNATURE_INVALID: {
    means: "the private key is not the one whose public half is registered",
    here: "npm run doctor prints the public half.",
    likely: "the key is another application's or environment's, or the developer portal " +
      "holds another public key than the one printed above",
  },
  TIMESTAMP_INVALID: {
    means:
      "the minute in the signed token is too far from SuperOffice's, and its clock could not " +
      "be read",
  },
  REDIRECT_URL_INVALID: { means: "a redirect URL is not registered" },
  EXCHANGE_REFUSED: {
    means: "the exchange was refused for another reason, which the line quotes",
    likely: "client secret, private key, system user token and environment do not belong together",
  },
  JWT_INVALID: {
    means:
      "the exchange's answer, or an approval's, was not signed by SuperOffice, not for this tenant or application, or not " +
      "valid now",
    likely: "SUPEROFFICE_LOGIN_URL leads elsewhere, or something in between answers",
    here: (error) =>
      "Set here: SUPEROFFICE_LOGIN_URL" +
      (error?.message.includes("another application") ? ", SUPEROFFICE_CLIENT_ID." : "."),
  },
  APPROVAL_REFUSED: {
    means: "SuperOffice, or the administrator, answered a request for approval with no",
    here: (error) =>
      error?.message.includes("«access_denied»")
        ? ""
        : "Set here: SUPEROFFICE_CLIENT_ID, SUPEROFFICE_REDIRECT_URL, SUPEROFFICE_ENVIRONMENT.",
  },
  CODE_REFUSED: {
    means: "SuperOffice gave no tokens for what an approval brought",
    here: "Set here: SUPEROFFICE_REDIRECT_URL.",
  },
  CLIENT_REFUSED: {
    means: "SuperOffice does not know the application by client id and client secret",
    here: "Set here: SUPEROFFICE_CLIENT_ID, SUPEROFFICE_CLIENT_SECRET, SUPEROFFICE_ENVIRONMENT.",
  },
  SYSTEM_TOKEN_MISSING: {
    means: "the application was approved, and has no system user; nothing was stored",
  },
  STATE_REFUSED: {
    means: "an answer came to no approval that is open here, or one that came already",
  },
  NOBODY_CAME: {
    means: "nobody approved in time",
    here:
      "Set here: SUPEROFFICE_CLIENT_ID, SUPEROFFICE_REDIRECT_URL, SUPEROFFICE_ENVIRONMENT; the time: --minutes.",
  },
  CANNOT_LISTEN: {
    means: "the address for an approval's answer cannot be listened on",
    here:
      "Set here: LISTEN, where a web server passes requests on; else SUPEROFFICE_REDIRECT_URL, whose port has to be registered, too.",
  },
  CUSTOMER_EXISTS: { means: "the customer that approved is in the table already" },
  LOGIN_HOST_REFUSED: {
    means: "the login host itself answered with status 401",
    here: "Set here: SUPEROFFICE_LOGIN_URL, SUPEROFFICE_CLIENT_SECRET.",
  },
  TICKET_REFUSED: {
    means: "the tenant refused a ticket that was new",
    likely: "the client secret was replaced a moment ago, or the approval was withdrawn",
    here: "Set here: SUPEROFFICE_CLIENT_SECRET.",
  },
  TENANT_NOT_RUNNING: {
    means: "the tenant is suspended, in maintenance or gone; it is skipped, which is no failure",
    here: (error) =>
      error === undefined || (error as { state?: string }).state === "Deleted"
        ? "For one that was deleted, set is_active to false in its row."
        : "The console looks again by itself.",
  },
  TENANT_MOVED: {
    means: "the tenant is moving between hosts",
    here: "The console does so at the next poll.",
  },
  WRONG_TENANT: {
    means: "an answer spoke of another tenant",
    here: "Set here: context_identifier and system_user_token in the row.",
  },
  HOST_UNTRUSTED: {
    means: "the tenant's address is not SuperOffice's; nothing was sent there",
    here: (error) =>
      error?.message.startsWith("The work script") ? "" : "Set here: SUPEROFFICE_LOGIN_URL.",
  },
  NETWORK_FAILED: {
    means: "no connection, or it broke, or the host's certificate is not in order",
    likely: NO_WAY_THERE,
    here: (error) =>
      error?.message.includes("EMFILE")
        ? "This process has no file descriptors left: allow it more (ulimit -n, LimitNOFILE=), or lower CONCURRENCY."
        : authorityAdvice(error),
  },
  PROXY_FAILED: {
    means: "the proxy gave no connection, so that the host behind it was not asked",
    likely:
      "a slip in the proxy's address, a password that it does not take any more, or a host that it does not allow",
    here: (error) =>
      "Set here: HTTPS_PROXY (for http addresses HTTP_PROXY), or the host in NO_PROXY where none is needed. " +
      authorityAdvice(error),
  },
  REQUEST_TIMEOUT: {
    means: "no answer within REQUEST_TIMEOUT_SECONDS",
    likely: NO_WAY_THERE,
    here: "Set here: REQUEST_TIMEOUT_SECONDS.",
  },
  SERVICE_BUSY: {
    means: "status 429 or 5xx, after up to three repeats",
    here: "Set here: CONCURRENCY.",
  },
  FORBIDDEN: {
    means: "status 403",
    likely: "the system user lacks rights in this customer's SuperOffice",
  },
  NOT_FOUND: {
    means: "status 404",
    likely: "a slip in the context identifier, or a customer of another environment",
    here: "Set here: context_identifier in the row, SUPEROFFICE_ENVIRONMENT.",
  },
  REDIRECT_REFUSED: {
    means: "status 3xx; credentials are not sent elsewhere",
    here: "Set here: SUPEROFFICE_LOGIN_URL.",
  },
  UNEXPECTED_STATUS: {
    means: "another status",
    here:
      "Set here: context_identifier in the row, SUPEROFFICE_ENVIRONMENT, SUPEROFFICE_LOGIN_URL.",
  },
  ANSWER_UNREADABLE: { means: "not the JSON that SuperOffice documents" },
  WORK_FAILED: {
    means: "your work script threw; the line names where",
    here: (error) =>
      (error?.cause as Error | undefined)?.name === "NotCapable"
        ? "On Deno it gets more by flags of Deno's own, such as --allow-net=api.example.com or --allow-write=report.csv " +
          "(src/program/security.md)."
        : error?.message.includes("did not end within")
        ? "Set here: WORK_TIMEOUT_SECONDS."
        : "",
  },
  ALL_REFUSED: {
    means:
      "a work script's request needed a ticket while all are refused; a line before says for what",
  },
  WORK_BLOCKS: { means: "your work script computes without a pause; nothing else goes on" },
  SIGNING_FAILED: { means: "the key vault did not sign" },
  PRIVATE_KEY_WRONG: {
    means: "the private key cannot be used",
    here: (error) =>
      error?.message.includes("looks like a file's path")
        ? "Or put the path into SUPEROFFICE_PRIVATE_KEY_FILE."
        : "",
  },
  DATABASE_TROUBLE: { means: "the database cannot be read or written" },
  PG_BOSS_MISSING: { means: "`--share` needs a package that is not installed" },
  LISTEN_FAILED: {
    means: "the console cannot listen at an address that the settings name",
    here: "Set here: NOTIFICATIONS_LISTEN, HEALTH_LISTEN.",
  },
  SETTINGS_WRONG: { means: "settings are missing or wrong, all of which the line names" },
  USAGE_WRONG: { means: "the command line says something that is not known" },
  STOPPED: { means: "the console was stopped before this customer was done" },
  UNEXPECTED: { means: "a mistake in this program, or in code that it was given to run" },
};

/** How an authority is trusted, where that is what lacks. */
function authorityAdvice(error: Error | undefined): string {
  const { certificateFault } = (error ?? {}) as { certificateFault?: string };
  return error !== undefined && certificateFault !== "untrusted"
    ? ""
    : "A certificate's authority (CA) is trusted when NODE_EXTRA_CA_CERTS (on Deno also DENO_CERT) names its file, PEM, in the " +
      "environment at the start (not in .env).";
}

/** The likely causes of database trouble, by the codes of Postgres and its client. */
export const DATABASE_CAUSES: Record<string, string> = {
  "28P01": "another password, or one with signs that an address needs written as %40 and the like",
  "28000": "another user name, or a server that takes this user from other addresses alone",
  "3D000": "a slip in the name, or the database of another server",
  "42P01": "the schema was applied to another database, or the table is not on the search_path",
  "42703": "a table or view of another make",
  "ECONNREFUSED": "Postgres does not run there, or listens on another port or address",
  "ENOTFOUND":
    "a slip in the host's name, or a name of another network (a container's, for example)",
  "NO_POSTGRES": "the port of something else: a web server, a proxy, another database",
  "SILENT":
    "the port of something else, such as a web server, which waits for other words; or a server that hangs",
  "LOCKED": "a migration, a backup or somebody's open transaction holds a lock on customers",
  "CONNECTION_CLOSED":
    "something else than Postgres listens there (a port of TLS hangs up like that), or a load balancer with nothing behind it",
  "CONNECT_TIMEOUT": "a firewall in between, or a host that is off",
};
