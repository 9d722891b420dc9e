/** @file Addresses that the server gave, with something added: they may be signed, and then have a query already. */

export function withQuery(url: string, query: string): string {
  return `${url}${url.includes("?") ? "&" : "?"}${query}`;
}
