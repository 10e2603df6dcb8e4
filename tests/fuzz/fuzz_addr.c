/*
 * tests/fuzz/fuzz_addr.c - any text as an address and as a network: what parses
 * must print, and parse again to the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "net/addr.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ip(struct bytes text)
{
	char printed[ADDR_TEXT_MAX];
	struct addr a, b;

	if (addr_parse_ip(text, &a) < 0)
		return;
	must(addr_parse_ip(bytes_of(addr_print(&a, false, printed)), &b) == 0);
	must(addr_same_ip(&a, &b));
}

static void check_cidr(struct bytes text)
{
	struct cidr c;

	if (cidr_parse(text, &c) < 0)
		return;
	must(cidr_contains(&c, &c.base) && c.prefix <= 128);
}

/* Names are left out: they would be looked up. */
static void check_listen(struct bytes text)
{
	struct listen_addr l;
	const char *why = NULL;
	char copy[512];

	if (text.n == 0 || text.n >= sizeof(copy) || !memchr("[*:u0123456789", text.p[0], 14))
		return;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (strspn(copy, "[]*:0123456789abcdefABCDEF.") != strlen(copy) &&
	    strncmp(copy, "unix:", 5))
		return;
	if (copy[0] != '[' && copy[0] != 'u' && copy[0] != '*' && copy[0] != ':')
		return;
	must(listen_addr_parse(copy, &l, &why) == 0 || why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = { (const char *)data, size };

	check_ip(text);
	check_cidr(text);
	check_listen(text);
	return 0;
}
