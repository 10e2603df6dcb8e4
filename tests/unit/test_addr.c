/*
 * tests/unit/test_addr.c - addresses, networks, places to listen at.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "net/addr.h"

static struct addr ip(const char *text)
{
	struct addr a;

	ck_assert_msg(addr_parse_ip(bytes_of(text), &a) == 0, "%s", text);
	return a;
}

static const char *printed(const struct addr *a, bool with_port)
{
	static char text[ADDR_TEXT_MAX];

	return addr_print(a, with_port, text);
}

START_TEST(addresses_print_as_they_are_written)
{
	struct addr a = ip("192.0.2.1");

	a.port = 80;
	ck_assert_str_eq(printed(&a, true), "192.0.2.1:80");
	ck_assert_str_eq(printed(&a, false), "192.0.2.1");
	a = ip("2001:DB8:0:0::1");
	a.port = 65535;
	ck_assert_str_eq(printed(&a, true), "[2001:db8::1]:65535");
	ck_assert_str_eq(printed(&a, false), "2001:db8::1");
	a = (struct addr){ .family = AF_UNIX };
	ck_assert_str_eq(printed(&a, true), "unix");
	a = (struct addr){ 0 };
	ck_assert_str_eq(printed(&a, true), "unknown");
}
END_TEST

START_TEST(brackets_are_for_ipv6_alone)
{
	struct addr a = ip("[::1]"), b;

	ck_assert_str_eq(printed(&a, false), "::1");
	ck_assert_int_eq(addr_parse_ip(BYTES("[127.0.0.1]"), &b), -EINVAL);
}
END_TEST

START_TEST(an_ipv4_mapped_address_becomes_ipv4)
{
	struct addr a = ip("::ffff:192.0.2.7");
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };

	ck_assert_uint_eq(a.family, AF_INET);
	ck_assert_str_eq(printed(&a, false), "192.0.2.7");
	inet_pton(AF_INET6, "::ffff:10.1.2.3", &in6.sin6_addr);
	a = addr_from_sockaddr((const void *)&in6);
	ck_assert_str_eq(printed(&a, true), "10.1.2.3:9");
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
	static const char *const bad[] = { "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4",
		"1.2.3.4 ", " 1.2.3.4", "1.2.3.4:80", "::1::", ":::", "[::1", "::1]", "[]",
		"fe80::1%lo", "localhost", "1.2.3.4/8", "0x7f.0.0.1",
		"12345:1::", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb" };
	struct addr a = { .family = 77 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(addr_parse_ip(bytes_of(bad[i]), &a) == -EINVAL, "%s", bad[i]);
	ck_assert_int_eq(addr_parse_ip((struct bytes){ "1.2.3.4\0x", 9 }, &a), -EINVAL);
	ck_assert_int_eq(addr_parse_ip((struct bytes){ NULL, 0 }, &a), -EINVAL);
	ck_assert_uint_eq(a.family, 77); /* untouched */
}
END_TEST

START_TEST(socket_addresses_go_there_and_back)
{
	static const char *const texts[] = { "192.0.2.1", "2001:db8::42", "::", "0.0.0.0" };
	struct sockaddr_storage sa;
	struct addr a, b;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		a = ip(texts[i]);
		a.port = 4711;
		ck_assert_uint_eq(addr_to_sockaddr(&a, &sa),
		    a.family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		b = addr_from_sockaddr((const void *)&sa);
		ck_assert(addr_same_ip(&a, &b));
		ck_assert_uint_eq(b.port, 4711);
	}
	a = (struct addr){ .family = AF_UNIX };
	ck_assert_uint_eq(addr_to_sockaddr(&a, &sa), sizeof(sa_family_t));
	ck_assert_uint_eq(addr_from_sockaddr((const void *)&sa).family, AF_UNIX);
}
END_TEST

static void check_same(const char *left, const char *right, bool same, bool same_class)
{
	struct addr a = ip(left), b = ip(right);

	a.port = 1;
	b.port = 2;
	ck_assert_msg(addr_same_ip(&a, &b) == same, "%s %s", left, right);
	ck_assert_msg(addr_same_class(&a, &b) == same_class, "%s %s", left, right);
}

START_TEST(ipv6_addresses_of_one_64_are_one_class_of_client)
{
	struct addr local = { .family = AF_UNIX }, v4 = ip("0.0.0.0"), unknown = { 0 };

	check_same("192.0.2.1", "192.0.2.1", true, true);
	check_same("192.0.2.1", "192.0.2.2", false, false);
	check_same("2001:db8::1", "2001:db8::1", true, true);
	check_same("2001:db8::1", "2001:db8::ffff:0:0:1", false, true);
	check_same("2001:db8::1", "2001:db8:0:1::1", false, false);
	check_same("0.0.0.0", "::", false, false);
	ck_assert(addr_same_class(&local, &local));
	ck_assert(!addr_same_class(&local, &v4));
	ck_assert(!addr_same_class(&unknown, &unknown));
	ck_assert(!addr_same_ip(&unknown, &unknown));
}
END_TEST

static void check_cidr(const char *network, const char *address, bool within)
{
	struct cidr c;
	struct addr a = ip(address);

	ck_assert_msg(cidr_parse(bytes_of(network), &c) == 0, "%s", network);
	ck_assert_msg(cidr_contains(&c, &a) == within, "%s %s", network, address);
}

START_TEST(a_network_contains_what_shares_its_prefix)
{
	check_cidr("10.0.0.0/8", "10.255.0.1", true);
	check_cidr("10.0.0.0/8", "11.0.0.0", false);
	check_cidr("10.1.2.3/8", "10.9.9.9", true);
	check_cidr("192.0.2.128/25", "192.0.2.255", true);
	check_cidr("192.0.2.128/25", "192.0.2.127", false);
	check_cidr("192.0.2.1", "192.0.2.1", true);
	check_cidr("192.0.2.1", "192.0.2.0", false);
	check_cidr("0.0.0.0/0", "203.0.113.9", true);
	check_cidr("0.0.0.0/0", "::1", false);
	check_cidr("::/0", "2001:db8::", true);
	check_cidr("::1", "::1", true);
	check_cidr("2001:db8::/33", "2001:db8:7fff::", true);
	check_cidr("2001:db8::/33", "2001:db8:8000::", false);
	check_cidr("::ffff:10.0.0.0/104", "10.3.3.3", true);
	check_cidr("::ffff:10.0.0.0/104", "11.3.3.3", false);
}
END_TEST

START_TEST(unix_is_the_network_of_local_sockets)
{
	struct addr local = { .family = AF_UNIX }, v4 = ip("0.0.0.0"), unknown = { 0 };
	struct cidr c;

	ck_assert_int_eq(cidr_parse(BYTES("unix"), &c), 0);
	ck_assert(cidr_contains(&c, &local));
	ck_assert(!cidr_contains(&c, &v4));
	ck_assert(!cidr_contains(&c, &unknown));
}
END_TEST

START_TEST(what_is_no_network_is_refused)
{
	static const char *const bad[] = { "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
		"10.0.0.0/+8", "10.0.0.0/8x", "10.0.0.0/ 8", "::1/129", "10.0.0.0/8/8",
		"10.0.0.0/99999999999", "::ffff:10.0.0.0/95", "unixx", "10/8" };
	struct cidr c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(cidr_parse(bytes_of(bad[i]), &c) == -EINVAL, "%s", bad[i]);
}
END_TEST

static struct listen_addr listen_at(const char *text)
{
	struct listen_addr l;
	const char *why = "";

	ck_assert_msg(listen_addr_parse(text, &l, &why) == 0, "%s: %s", text, why);
	return l;
}

static void check_listen(const char *text, const char *want, bool dual_stack)
{
	struct listen_addr l = listen_at(text);
	struct addr a = addr_from_sockaddr((const void *)&l.sa);

	ck_assert_str_eq(printed(&a, true), want);
	ck_assert_int_eq(l.dual_stack, dual_stack);
}

START_TEST(places_that_share_an_address_and_a_port_overlap)
{
	static const char *const pairs[][2] = { { ":80", "*:80" }, { ":80", "127.0.0.1:80" },
		{ "127.0.0.1:80", "*:80" }, { "[::1]:80", ":80" }, { "0.0.0.0:80", "127.0.0.1:80" },
		{ "[::]:80", "[::1]:80" }, { "127.0.0.1:80", "127.0.0.1:80" } };
	static const char *const apart[][2] = { { ":80", ":81" },
		{ "127.0.0.1:80", "127.0.0.2:80" }, { "0.0.0.0:80", "[::]:80" }, { ":0", ":0" },
		{ "unix:/a", "unix:/a" }, { "unix:/a", ":80" } };

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		struct listen_addr x = listen_at(pairs[i][0]), y = listen_at(pairs[i][1]);

		ck_assert_msg(listen_addr_overlaps(&x, &y), "%s %s", pairs[i][0], pairs[i][1]);
	}
	for (size_t i = 0; i < sizeof(apart) / sizeof(*apart); i++) {
		struct listen_addr x = listen_at(apart[i][0]), y = listen_at(apart[i][1]);

		ck_assert_msg(!listen_addr_overlaps(&x, &y), "%s %s", apart[i][0], apart[i][1]);
	}
}
END_TEST

START_TEST(the_form_of_a_name_is_checked_without_asking_for_it)
{
	const char *why = "";

	ck_assert_int_eq(listen_addr_check("no-such-host.invalid:80", &why), 0);
	ck_assert_int_eq(listen_addr_check("no such host:80", &why), -EINVAL);
	ck_assert_str_eq(why, "a host name has letters, digits, dots and hyphens");
	ck_assert_int_eq(listen_addr_check("http://h:80", &why), -EINVAL);
}
END_TEST

START_TEST(places_to_listen_at_are_host_and_port)
{
	check_listen("127.0.0.1:8080", "127.0.0.1:8080", false);
	check_listen("[::1]:80", "[::1]:80", false);
	check_listen("[::]:80", "[::]:80", false);
	check_listen("*:80", "[::]:80", true);
	check_listen(":0", "[::]:0", true);
	check_listen("0.0.0.0:65535", "0.0.0.0:65535", false);
}
END_TEST

START_TEST(a_host_name_is_looked_up)
{
	struct listen_addr l = listen_at("localhost:81");
	struct addr a = addr_from_sockaddr((const void *)&l.sa);

	ck_assert_uint_eq(a.port, 81);
	ck_assert(a.family == AF_INET || a.family == AF_INET6);
}
END_TEST

START_TEST(a_unix_path_may_fill_the_address_but_not_more)
{
	struct listen_addr l = listen_at("unix:/run/a:b.sock");
	const struct sockaddr_un *un = (const void *)&l.sa;
	char text[200] = "unix:";
	const char *why = NULL;

	ck_assert_uint_eq(un->sun_family, AF_UNIX);
	ck_assert_str_eq(un->sun_path, "/run/a:b.sock");
	ck_assert_uint_eq(l.len, offsetof(struct sockaddr_un, sun_path) + 14);
	memset(text + 5, 'p', 107);
	l = listen_at(text);
	ck_assert_uint_eq(l.len, sizeof(struct sockaddr_un));
	text[5 + 107] = 'p';
	ck_assert_int_eq(listen_addr_parse(text, &l, &why), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "107"));
}
END_TEST

START_TEST(what_is_no_place_to_listen_at_is_refused_with_a_sentence)
{
	static const char *const bad[] = { "", "80", "localhost", "127.0.0.1:", "127.0.0.1:http",
		"127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "[::1]", "[::1:80", "[127.0.0.1]:80",
		"unix:", "[]:80", "127.0.0.1: 80" };
	struct listen_addr l = { .len = 99 };
	char longest[400];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *why = NULL;

		ck_assert_msg(listen_addr_parse(bad[i], &l, &why) == -EINVAL, "%s", bad[i]);
		ck_assert_msg(why && strlen(why) > 10, "%s", bad[i]);
	}
	memset(longest, 'h', sizeof(longest));
	memcpy(longest + 390, ":80", 4);
	const char *why = NULL;
	ck_assert_int_eq(listen_addr_parse(longest, &l, &why), -EINVAL);
	ck_assert_uint_eq(l.len, 99); /* untouched */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("addr");
	TCase *tc = tcase_create("addr");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, places_that_share_an_address_and_a_port_overlap);
	tcase_add_test(tc, the_form_of_a_name_is_checked_without_asking_for_it);
	tcase_add_test(tc, addresses_print_as_they_are_written);
	tcase_add_test(tc, brackets_are_for_ipv6_alone);
	tcase_add_test(tc, an_ipv4_mapped_address_becomes_ipv4);
	tcase_add_test(tc, what_is_no_address_is_refused);
	tcase_add_test(tc, socket_addresses_go_there_and_back);
	tcase_add_test(tc, ipv6_addresses_of_one_64_are_one_class_of_client);
	tcase_add_test(tc, a_network_contains_what_shares_its_prefix);
	tcase_add_test(tc, unix_is_the_network_of_local_sockets);
	tcase_add_test(tc, what_is_no_network_is_refused);
	tcase_add_test(tc, places_to_listen_at_are_host_and_port);
	tcase_add_test(tc, a_host_name_is_looked_up);
	tcase_add_test(tc, a_unix_path_may_fill_the_address_but_not_more);
	tcase_add_test(tc, what_is_no_place_to_listen_at_is_refused_with_a_sentence);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
