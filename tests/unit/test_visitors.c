/*
 * tests/unit/test_visitors.c - which addresses are one visitor, by the lengths of prefixes, and how
 * they are printed.
 */
#include "net/visitors.h"

#include <check.h>
#include <string.h>

static const struct visitor_prefixes usual = { 32, 64 };

static struct addr ip(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse_ip(bytes_of(text), &a), 0);
	return a;
}

static const char *printed(const char *text, struct visitor_prefixes prefixes)
{
	static char out[ADDR_TEXT_MAX];
	char key[QUOTA_KEY_MAX];
	struct addr a = ip(text);

	return visitor_print((struct bytes){ key, visitor_key(&a, prefixes, key) }, out);
}

static bool are_one(const char *a, const char *b, struct visitor_prefixes prefixes)
{
	char key_a[QUOTA_KEY_MAX], key_b[QUOTA_KEY_MAX];
	struct addr x = ip(a), y = ip(b);

	return bytes_equal((struct bytes){ key_a, visitor_key(&x, prefixes, key_a) },
	    (struct bytes){ key_b, visitor_key(&y, prefixes, key_b) });
}

START_TEST(usually_an_ipv4_address_is_one_and_of_ipv6_a_64)
{
	ck_assert(are_one("192.0.2.1", "192.0.2.1", usual));
	ck_assert(!are_one("192.0.2.1", "192.0.2.0", usual));
	ck_assert(are_one("2001:db8::1", "2001:db8::ffff:0:0:1", usual));
	ck_assert(!are_one("2001:db8::1", "2001:db8:0:1::1", usual));
	ck_assert(are_one("::ffff:192.0.2.1", "192.0.2.1", usual));
}
END_TEST

/* Every length: the last bit within tells two apart, the first one behind does not. */
START_TEST(a_prefix_ends_at_its_very_bit)
{
	char a[QUOTA_KEY_MAX], b[QUOTA_KEY_MAX];

	for (unsigned family = 0; family < 2; family++) {
		unsigned all = family ? 128 : 32;
		struct addr x = ip(family ? "aaaa:5555::" : "170.85.170.85");

		for (unsigned bits = 1; bits <= all; bits++) {
			struct visitor_prefixes p = { (uint8_t)bits, (uint8_t)bits };
			size_t n = visitor_key(&x, p, a);

			for (unsigned bit = 0; bit < all; bit++) {
				struct addr y = x;

				y.ip[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
				ck_assert_uint_eq(visitor_key(&y, p, b), n);
				ck_assert_int_eq(memcmp(a, b, n) == 0, bit >= bits);
			}
		}
	}
}
END_TEST

START_TEST(a_prefix_is_printed_as_a_network)
{
	ck_assert_str_eq(printed("198.51.100.77", usual), "198.51.100.77");
	ck_assert_str_eq(printed("198.51.100.77", (struct visitor_prefixes){ 24, 64 }),
	    "198.51.100.0/24");
	ck_assert_str_eq(printed("198.51.100.77", (struct visitor_prefixes){ 26, 64 }),
	    "198.51.100.64/26");
	ck_assert_str_eq(printed("198.51.100.77", (struct visitor_prefixes){ 8, 64 }), "198.0.0.0/8");
	ck_assert_str_eq(printed("2001:db8::1", usual), "2001:db8::/64");
	ck_assert_str_eq(printed("2001:db8:0:ff::1", (struct visitor_prefixes){ 32, 60 }),
	    "2001:db8:0:f0::/60");
	ck_assert_str_eq(printed("2001:db8::1", (struct visitor_prefixes){ 32, 128 }), "2001:db8::1");
}
END_TEST

static bool meets(const char *address, struct visitor_prefixes prefixes, const char *network)
{
	char key[QUOTA_KEY_MAX + 2] = { 0 };
	struct addr a = ip(address);
	size_t n = visitor_key(&a, prefixes, key);
	struct cidr c;

	ck_assert_int_eq(cidr_parse(bytes_of(network), &c), 0);
	/* What is behind the address does not count */
	ck_assert(visitor_key_meets((struct bytes){ key, n }, &c) ==
	          visitor_key_meets((struct bytes){ key, n + 2 }, &c));
	return visitor_key_meets((struct bytes){ key, n }, &c);
}

START_TEST(a_key_meets_what_it_is_in_and_what_is_in_it)
{
	const struct visitor_prefixes blocks = { 24, 48 }, all = { 32, 128 };

	ck_assert(meets("203.0.113.7", blocks, "203.0.113.99"));
	ck_assert(meets("203.0.113.7", blocks, "203.0.113.0/24"));
	ck_assert(meets("203.0.113.7", blocks, "203.0.0.0/16"));
	ck_assert(meets("203.0.113.7", blocks, "0.0.0.0/0"));
	ck_assert(!meets("203.0.113.7", blocks, "203.0.112.255"));
	ck_assert(!meets("203.0.113.7", blocks, "::/0"));
	ck_assert(!meets("203.0.113.7", blocks, "unix"));
	ck_assert(meets("203.0.113.7", all, "203.0.113.0/24"));
	ck_assert(!meets("203.0.113.7", all, "203.0.113.8"));
	ck_assert(meets("2001:db8:1::7", blocks, "2001:db8:1:ffff::1"));
	ck_assert(!meets("2001:db8:1::7", blocks, "2001:db8:2::/48"));
}
END_TEST

START_TEST(a_key_is_widened_to_that_of_its_network)
{
	const struct visitor_prefixes blocks = { 24, 48 };
	char key[QUOTA_KEY_MAX + 2] = { 0 }, wide[QUOTA_KEY_MAX], expected[QUOTA_KEY_MAX];
	struct addr a = ip("2001:db8:1:2::3"), b = ip("203.0.113.7");
	size_t n = visitor_key(&a, (struct visitor_prefixes){ 32, 128 }, key);

	ck_assert_uint_eq(visitor_key_widen((struct bytes){ key, n + 2 }, blocks, wide),
	    visitor_key(&a, blocks, expected));
	ck_assert_mem_eq(wide, expected, visitor_key(&a, blocks, expected));
	n = visitor_key(&b, usual, key);
	ck_assert_uint_eq(visitor_key_widen((struct bytes){ key, n }, blocks, wide),
	    visitor_key(&b, blocks, expected));
	ck_assert_mem_eq(wide, expected, visitor_key(&b, blocks, expected));
	ck_assert_uint_eq(visitor_key_widen(BYTES("4"), blocks, wide), 0);
}
END_TEST

START_TEST(what_is_no_key_meets_nothing)
{
	struct cidr everything;

	ck_assert_int_eq(cidr_parse(BYTES("0.0.0.0/0"), &everything), 0);
	ck_assert(!visitor_key_meets((struct bytes){ 0 }, &everything));
	ck_assert(!visitor_key_meets(BYTES("4"), &everything));
	ck_assert(!visitor_key_meets(BYTES("4\x20\xc0"), &everything));
	ck_assert(!visitor_key_meets(BYTES("4\xff\xc0\x00\x02\x01"), &everything));
}
END_TEST

START_TEST(what_is_no_key_is_unknown)
{
	char text[ADDR_TEXT_MAX];

	ck_assert_str_eq(visitor_print((struct bytes){ 0 }, text), "unknown");
	ck_assert_str_eq(visitor_print(bytes_of("4"), text), "unknown");
	ck_assert_str_eq(visitor_print(bytes_of("6abcdefghijklmnopqrstuvw"), text), "unknown");
}
END_TEST

START_TEST(a_unix_socket_is_nobody)
{
	char key[QUOTA_KEY_MAX];
	struct addr local = { .family = AF_UNIX }, unknown = { 0 };

	ck_assert_uint_eq(visitor_key(&local, usual, key), 0);
	ck_assert_uint_eq(visitor_key(&unknown, usual, key), 0);
}
END_TEST

/* As a reload does it. */
START_TEST(what_was_taken_by_another_prefix_is_released_where_it_was)
{
	const struct visitor_prefixes wider = { 24, 56 };
	struct quotas *q = quotas_new(&(struct quota){ 1, 0 }, 1);
	struct addr a = ip("198.51.100.1"), b = ip("198.51.100.2");
	struct quota_row *first, *second, *third;

	ck_assert_int_eq(visitor_enter(q, &a, usual, VISITOR_CONNECTION, &first), QUOTA_GRANTED);
	ck_assert_int_eq(visitor_enter(q, &b, usual, VISITOR_CONNECTION, &second), QUOTA_GRANTED);
	ck_assert_int_eq(visitor_enter(q, &a, wider, VISITOR_CONNECTION, &third), QUOTA_GRANTED);
	quota_release(first, VISITOR_CONNECTION);
	ck_assert_int_eq(visitor_enter(q, &b, wider, VISITOR_CONNECTION, &first), QUOTA_TOO_MANY);
	quota_release(third, VISITOR_CONNECTION);
	ck_assert_int_eq(visitor_enter(q, &b, wider, VISITOR_CONNECTION, &third), QUOTA_GRANTED);
	quota_release(second, VISITOR_CONNECTION);
	quota_release(third, VISITOR_CONNECTION);
	ck_assert_uint_eq(quotas_count(q), 0);
	quotas_free(q);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("visitors");
	TCase *t = tcase_create("visitors");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, usually_an_ipv4_address_is_one_and_of_ipv6_a_64);
	tcase_add_test(t, a_prefix_ends_at_its_very_bit);
	tcase_add_test(t, a_prefix_is_printed_as_a_network);
	tcase_add_test(t, a_key_meets_what_it_is_in_and_what_is_in_it);
	tcase_add_test(t, a_key_is_widened_to_that_of_its_network);
	tcase_add_test(t, what_is_no_key_meets_nothing);
	tcase_add_test(t, what_is_no_key_is_unknown);
	tcase_add_test(t, a_unix_socket_is_nobody);
	tcase_add_test(t, what_was_taken_by_another_prefix_is_released_where_it_was);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
