import type { Call } from "../superoffice/logOn.ts";
import type { Access, Tenant } from "../superoffice/tenant.ts";

/**
 * Mends what an answer's status complains of, and calls again: once for each status, so that no two of them take turns.
 *
 * @param remedies what to do by status, with the way that was refused; done for the last answer, too, whose status stays
 */
export function mended(
  call: Call,
  remedies: Record<number, (tenant: Tenant, refused: Access) => void>,
): Call {
  return async (tenant, request) => {
    const triedFor: number[] = [];
    while (true) {
      const called = await call(tenant, request);
      const { status } = called.answer;
      const mend = remedies[status];
      if (mend === undefined) return called;
      mend(tenant, called);
      if (triedFor.includes(status)) return called;
      triedFor.push(status);
    }
  };
}
