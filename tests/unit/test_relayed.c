/*
 * tests/unit/test_relayed.c - names of what is relayed: keys that no client can say, and what applications and
 * subscribers see in their place.
 */
#include "pubsub/relayed.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker_name.h"

static struct buf key, back;

static struct bytes in(const struct buf *b)
{
	return (struct bytes){ buf_data(b), buf_len(b) };
}

static void fini(void)
{
	buf_fini(&key);
	buf_fini(&back);
}

static const char *const patterns[] = { "/topic/a", "/topic/a/*", "/topic/**", "/topic/%2A", "/topic/%/%%/a%2", "/queue/*/b",
	"/topic/\xc3\xa9/ x" };

START_TEST(a_key_is_a_plain_name_and_leads_back)
{
	ck_assert_int_eq(relayed_key(bytes_of(patterns[_i]), &key), 0);
	ck_assert(relayed_is_key(in(&key)));
	ck_assert(!relayed_is_key(bytes_of(patterns[_i])));
	ck_assert_ptr_null(memchr(buf_data(&key), '*', buf_len(&key)));
	ck_assert(broker_name_is_destination(in(&key), '/'));
	ck_assert_int_eq(relayed_pattern(in(&key), &back), 0);
	ck_assert(bytes_equal(in(&back), bytes_of(patterns[_i])));
}
END_TEST

START_TEST(no_two_patterns_have_one_key)
{
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		for (size_t j = 0; j < i; j++) {
			buf_clear(&key);
			buf_clear(&back);
			ck_assert_int_eq(relayed_key(bytes_of(patterns[i]), &key), 0);
			ck_assert_int_eq(relayed_key(bytes_of(patterns[j]), &back), 0);
			ck_assert(!bytes_equal(in(&key), in(&back)));
		}
}
END_TEST

/* Hooks and subscribers from inside go by the destination. */
START_TEST(nobody_sees_a_key)
{
	struct buf scratch = BUF_INIT;
	struct stomp_header header = { BYTES("x-own"), BYTES("v") };
	struct published *p = published_relayed(
	    &scratch, BYTES("/relay/topic/a/%2A"), BYTES("/topic/a/b"), &header, 1, BYTES("body"));
	struct sockjs_publication view;
	const char *frame;

	ck_assert_ptr_nonnull(p);
	view = published_view(p);
	ck_assert_str_eq(view.destination, "/topic/a/b");
	ck_assert_str_eq(view.headers[0].value, "/topic/a/b");
	ck_assert_str_eq(view.headers[1].value, "v");
	ck_assert(bytes_equal(p->base.destination, BYTES("/relay/topic/a/%2A")));
	for (int i = 0; i < 3; i++) {
		frame = p->tails[i].p;
		ck_assert_ptr_eq(strstr(frame, "destination:/topic/a/b\nx-own:v\n"), frame);
	}
	broker_message_unref(&p->base);
	buf_fini(&scratch);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("relayed");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, NULL, fini);
	tcase_add_loop_test(tc, a_key_is_a_plain_name_and_leads_back, 0, sizeof(patterns) / sizeof(*patterns));
	tcase_add_test(tc, no_two_patterns_have_one_key);
	tcase_add_test(tc, nobody_sees_a_key);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
