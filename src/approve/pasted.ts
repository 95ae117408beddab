/**
 * Gives what an address holds that a browser ended at, in whichever way it was pasted: the whole address, its query with or
 * without the question mark, or what stands behind its #. Undefined for what holds no answer to a request for approval.
 */
export function readPasted(text: string): URLSearchParams | undefined {
  const trimmed = text.trim().replace(/^["'<]|["'>]$/g, "");
  const pieces = trimmed.split(/[?#]/);
  for (const piece of pieces.length > 1 ? pieces.slice(1) : pieces) {
    const values = new URLSearchParams(piece);
    if (values.has("code") || values.has("error")) return values;
  }
  return undefined;
}
