/*
 * stomp_page.mjs - the page of STOMP as a visitor uses it.
 */
export async function testStompPage() {}
export async function testStompPageWithLogins() {}
