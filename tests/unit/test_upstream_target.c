/*
 * tests/unit/test_upstream_target.c - the URL of a backend, in its parts.
 */
#include "upstream/target.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* --- what is one ---------------------------------------------------------------- */

static const struct good {
	const char *url, *host, *authority, *file, *resource;
	unsigned port;
	bool is_tls;
} goods[] = {
	{ "ws://h", "h", "h", NULL, "/", 80, false },
	{ "ws://h/", "h", "h", NULL, "/", 80, false },
	{ "wss://h", "h", "h", NULL, "/", 443, true },
	{ "ws://h:1", "h", "h:1", NULL, "/", 1, false },
	{ "wss://Example.com:65535/a/b?c=d&e", "Example.com", "Example.com:65535", NULL,
	    "/a/b?c=d&e", 65535, true },
	{ "ws://h?q=1", "h", "h", NULL, "/?q=1", 80, false },
	{ "ws://h:80?q=1/2", "h", "h:80", NULL, "/?q=1/2", 80, false },
	{ "ws://127.0.0.1:9000/", "127.0.0.1", "127.0.0.1:9000", NULL, "/", 9000, false },
	{ "ws://[::1]/x", "::1", "[::1]", NULL, "/x", 80, false },
	{ "wss://[2001:db8::1]:8443", "2001:db8::1", "[2001:db8::1]:8443", NULL, "/", 8443, true },
	{ "ws://a_b-c.d:00080/", "a_b-c.d", "a_b-c.d:00080", NULL, "/", 80, false },
	{ "unix:/run/x.sock", NULL, "localhost", "/run/x.sock", "/", 0, false },
	{ "unix:/run/x.sock:/", NULL, "localhost", "/run/x.sock", "/", 0, false },
	{ "unix:/run/x.sock:/p:q?r=s:t", NULL, "localhost", "/run/x.sock", "/p:q?r=s:t", 0, false },
};

static void assert_text(const char *is, const char *expected)
{
	if (expected)
		ck_assert_str_eq(is, expected);
	else
		ck_assert_ptr_null(is);
}

START_TEST(a_url_has_parts)
{
	const struct good *g = &goods[_i];
	struct target t = { 0 };

	ck_assert(target_is_url(g->url));
	ck_assert_int_eq(target_init(&t, g->url), 0);
	assert_text(t.url, g->url);
	assert_text(t.host, g->host);
	assert_text(t.authority, g->authority);
	assert_text(t.file, g->file);
	assert_text(t.resource, g->resource);
	if (!g->file)
		ck_assert_uint_eq(t.port, g->port);
	ck_assert_int_eq(t.is_tls, g->is_tls);
	ck_assert_ptr_null(t.tls);
	target_fini(&t);
}
END_TEST

/* --- what is none --------------------------------------------------------------- */

static const char *const bads[] = {
	"",
	"ws:",
	"ws://",
	"ws:///",
	"ws://?q",
	"ws://:80",
	"ws://h:",
	"ws://h:0",
	"ws://h:65536",
	"ws://h:000080",
	"ws://h:8a",
	"ws://h:-1",
	"ws://h: 80",
	"ws://user@h/",
	"ws://user:word@h/",
	"ws://h/#fragment",
	"ws://h/a b",
	"ws://h/\r\nX: y",
	"ws://h\x7f",
	"ws://h%41/",
	"ws://h\\x/",
	"ws://::1/",
	"ws://[::1",
	"ws://[::1]x",
	"ws://[]",
	"ws://[::1]:",
	"ws://[::1]:99999",
	"ws://[h]",
	"ws://[fe80::1%eth0]",
	"WS://h",
	"http://h/",
	"wss:/h",
	"unix:",
	"unix:/",
	"unix:relative",
	"unix:/x:",
	"unix:/x:path",
	"unix:/x:?q",
	" ws://h",
	"ws://h/\xc3\xa9",
};

START_TEST(what_is_no_url_is_refused)
{
	struct target t = { 0 };

	ck_assert_msg(!target_is_url(bads[_i]), "%s", bads[_i]);
	ck_assert_int_eq(target_init(&t, bads[_i]), -EINVAL);
	ck_assert_ptr_null(t.url);
}
END_TEST

START_TEST(a_name_of_255_octets_is_the_longest)
{
	char url[300] = "ws://";

	memset(url + 5, 'a', 255);
	ck_assert(target_is_url(url));
	url[5 + 255] = 'a';
	ck_assert(!target_is_url(url));
}
END_TEST

START_TEST(a_unix_path_has_to_fit)
{
	char url[300] = "unix:/";

	memset(url + 6, 'a', 106);
	ck_assert(target_is_url(url));
	url[6 + 106] = 'a';
	ck_assert(!target_is_url(url));
}
END_TEST

START_TEST(without_memory_nothing_is_left)
{
	const char *const urls[] = { "ws://h/p", "unix:/f:/p" };

	for (size_t u = 0; u < 2; u++) {
		for (unsigned nth = 1; nth <= 4; nth++) {
			struct target t = { 0 };

			mem_fail_at(nth);
			ck_assert_int_eq(target_init(&t, urls[u]), -ENOMEM);
			mem_fail_at(0);
			ck_assert_ptr_null(t.url);
			ck_assert_ptr_null(t.resource);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("upstream_target");
	TCase *c = tcase_create("url");
	SRunner *r;
	int failed;

	tcase_add_loop_test(c, a_url_has_parts, 0, sizeof(goods) / sizeof(*goods));
	tcase_add_loop_test(c, what_is_no_url_is_refused, 0, sizeof(bads) / sizeof(*bads));
	tcase_add_test(c, a_name_of_255_octets_is_the_longest);
	tcase_add_test(c, a_unix_path_has_to_fit);
	tcase_add_test(c, without_memory_nothing_is_left);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
