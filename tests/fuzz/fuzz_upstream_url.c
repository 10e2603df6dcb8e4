/*
 * tests/fuzz/fuzz_upstream_url.c - any text as the URL of a backend: what is taken for one has
 * parts that no request can be smuggled through.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "upstream/target.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_visible(const char *text)
{
	for (; *text; text++)
		must(*text > ' ' && *text < 0x7f && *text != '#');
}

static void check_tcp(const struct target *t)
{
	must(t->host && *t->host && t->port && !strpbrk(t->host, "/?@[]%\\"));
	must(!strpbrk(t->authority, "/?@\\") && strstr(t->authority, t->host));
	check_visible(t->authority);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *url = malloc(size + 1);
	struct target t = { 0 };

	if (!url)
		return 0;
	if (size)
		memcpy(url, data, size);
	url[size] = '\0';
	if (target_init(&t, url) == 0) {
		must(target_is_url(url) && strcmp(t.url, url) == 0);
		must(t.resource[0] == '/');
		check_visible(t.resource);
		if (t.file)
			must(t.file[0] == '/' && !t.host && strlen(t.file) < 108);
		else
			check_tcp(&t);
		target_fini(&t);
	} else {
		must(!target_is_url(url) && !t.url);
	}
	free(url);
	return 0;
}
