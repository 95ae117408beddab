// Whether pg-boss is there, which not everybody installs.
import { loadPgBoss } from "../../src/database/pgBoss.ts";

export const hasPgBoss = await loadPgBoss().then(() => true, () => false);
