/** Iterators over lists that come page by page. */

interface Page<T> {
  data: T[];
  next?: string | null;
}

/**
 * Yield the entries of all pages.
 *
 * @param page returns the page at a cursor; the first has none.
 * @param reverse whether the newest entry is the last of a page.
 */
export async function* pages<T>(
  page: (cursor: string | undefined) => Promise<Page<T>>,
  reverse = false,
): AsyncGenerator<T, void> {
  let cursor: string | undefined;
  do {
    const { data, next }: Page<T> = await page(cursor);
    yield* reverse ? data.reverse() : data;
    cursor = next ?? undefined;
  } while (cursor !== undefined);
}
