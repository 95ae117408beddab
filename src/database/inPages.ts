const PAGE_ROWS = 1000;
const BEFORE_THE_FIRST_ID = "-9223372036854775808";

/**
 * Reads rows a page at a time, in the order of their ids. At most one page is held, and no transaction stays open between
 * pages.
 *
 * @param readPage reads at most so many rows with ids above `lastId`, in the order of their ids
 */
export async function* inPages<Row extends { id: string }>(
  readPage: (lastId: string, rows: number) => Promise<Row[]>,
): AsyncGenerator<Row[], void> {
  let lastId = BEFORE_THE_FIRST_ID;
  while (true) {
    const page = await readPage(lastId, PAGE_ROWS);
    yield page;
    if (page.length < PAGE_ROWS) return;
    lastId = page[page.length - 1]!.id;
  }
}
