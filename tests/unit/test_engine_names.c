/*
 * test_engine_names.c - destinations as subjects of NATS and back, and messages that come twice.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "engine/engine.h"
#include "engine/nats_names.h"
#include "engine/replay.h"
#include "nats/nats_subject.h"

static struct buf out = BUF_INIT;

static struct bytes text(void)
{
	return (struct bytes){ buf_data(&out), buf_len(&out) };
}

#define ck_text(expected) ck_assert_msg(bytes_equal(text(), bytes_of(expected)), "%.*s", (int)text().n, text().p)

static void reads_back(struct bytes subject, char separator, const char *user, struct bytes destination)
{
	struct buf back = BUF_INIT;
	struct bytes u, d;

	ck_assert_int_eq(nats_name_read(&back, "p", subject, separator, &u, &d), 0);
	ck_assert(bytes_equal(u, bytes_of(user)));
	ck_assert_msg(bytes_equal(d, destination), "%.*s", (int)d.n, d.p);
	buf_fini(&back);
}

START_TEST(destinations_are_subjects_and_back)
{
	static const struct {
		const char *destination, *subject;
		char separator;
	} all[] = {
		{ "/topic/a", "p.t.topic.a", '/' },
		{ "/topic/a/b/c", "p.t.topic.a.b.c", '/' },
		{ "/topic/a.b/>", "p.t.topic.a%2eb.%3e", '/' },
		{ "/topic/a b%41\x7f\xc3\xa9", "p.t.topic.a%20b%2541%7f\xc3\xa9", '/' },
		{ "/topic/a.b/c", "p.t.topic.a.b/c", '.' },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		buf_clear(&out);
		ck_assert_int_eq(nats_name_destination(&out, "p", NATS_LIVE, bytes_of(all[i].destination), all[i].separator), 0);
		ck_text(all[i].subject);
		ck_assert(nats_subject_is_valid(text()));
		reads_back(text(), all[i].separator, "", bytes_of(all[i].destination));
	}
}
END_TEST

START_TEST(octets_of_any_kind_come_back)
{
	char octets[64] = "/topic/";

	for (unsigned round = 0; round < 2000; round++) {
		size_t n = 8 + random_u64() % 50;

		for (size_t i = 7; i < n; i++)
			octets[i] = (char)(1 + random_u64() % 255);
		for (size_t i = 7; i < n; i++)
			if (octets[i] == '/' && (octets[i - 1] == '/' || i == n - 1))
				octets[i] = 'x';
		buf_clear(&out);
		ck_assert_int_eq(nats_name_destination(&out, "p", NATS_LIVE, (struct bytes){ octets, n }, '/'), 0);
		ck_assert(nats_subject_is_valid(text()));
		reads_back(text(), '/', "", (struct bytes){ octets, n });
	}
}
END_TEST

START_TEST(patterns_are_one_subject_or_two)
{
	static const struct {
		const char *pattern, *first, *second;
	} all[] = {
		{ "/topic/a/*", "p.t.topic.a.*", NULL },
		{ "/topic/*/b*", "p.t.topic.*.b%2a", NULL },
		{ "/topic/a/**", "p.t.topic.a", "p.t.topic.a.>" },
		{ "/topic/*/**", "p.t.topic.*", "p.t.topic.*.>" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		size_t two;

		buf_clear(&out);
		ck_assert_int_eq(nats_name_pattern(&out, "p", NATS_LIVE, bytes_of(all[i].pattern), '/', &two), 0);
		ck_assert_str_eq(buf_data(&out), all[i].first);
		ck_assert_int_eq(two != 0, all[i].second != NULL);
		if (two)
			ck_assert_str_eq((const char *)buf_data(&out) + two, all[i].second);
	}
}
END_TEST

START_TEST(what_is_private_has_its_name)
{
	buf_clear(&out);
	ck_assert_int_eq(nats_name_user(&out, "p", BYTES("b/b %."), BYTES("/user/queue/x.y")), 0);
	ck_text("p.u.b/b%20%25%2e.queue/x%2ey");
	reads_back(text(), '/', "b/b %.", BYTES("/user/queue/x.y"));
	buf_clear(&out);
	ck_assert_int_eq(nats_name_all_of_user(&out, "p", BYTES("b.")), 0);
	ck_assert_str_eq(buf_data(&out), "p.u.b%2e.*");
	buf_clear(&out);
	ck_assert_int_eq(nats_name_member(&out, "p", 0xab, BYTES("m"), BYTES("/user/x")), 0);
	ck_text("p.s.00000000000000ab.m.x");
	reads_back(text(), '/', "m", BYTES("/user/x"));
	buf_clear(&out);
	ck_assert_int_eq(nats_name_all_members(&out, "p", 0xab), 0);
	ck_assert_str_eq(buf_data(&out), "p.s.00000000000000ab.*.*");
}
END_TEST

START_TEST(what_is_too_long_is_none)
{
	char longest[1024];

	memset(longest, '.', sizeof(longest));
	memcpy(longest, "/topic/", 7);
	buf_clear(&out);
	ck_assert_int_eq(nats_name_destination(&out, "p", NATS_LIVE, (struct bytes){ longest, sizeof(longest) }, '/'), -EINVAL);
}
END_TEST

START_TEST(other_subjects_are_nonsense)
{
	static const char *const all[] = { "", "p", "p.", "p.t", "p.t.", "q.t.a", "p.x.a", "p.u.a", "p.u.a.b.c", "p.s.a",
		"p.s.a.b", "pp.t.a", "p.t" };
	struct bytes u, d;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		int err = nats_name_read(&out, "p", bytes_of(all[i]), '/', &u, &d);

		ck_assert_msg(err == -EINVAL || d.n <= 1, "%s", all[i]);
	}
}
END_TEST

START_TEST(headers_are_hidden_and_shown)
{
	buf_clear(&out);
	ck_assert_int_eq(nats_name_header(&out, BYTES("nATS-Msg-Id")), 0);
	ck_text("%6eATS-Msg-Id");
	buf_clear(&out);
	ck_assert_int_eq(nats_name_header(&out, BYTES("a: b\n")), 0);
	ck_text("a%3a%20b%0a");
	buf_clear(&out);
	ck_assert_int_eq(nats_name_value(&out, BYTES(" a b\r%")), 0);
	ck_text("%20a b%0d%25");
	buf_clear(&out);
	ck_assert_int_eq(nats_name_decode(&out, BYTES("%20a b%0d%25%2%g1%")), 0);
	ck_text(" a b\r%%2%g1%");
}
END_TEST

START_TEST(members_know_their_gateway)
{
	char name[ENGINE_MEMBER_BYTES];
	uint64_t gateway;

	engine_member_name(0x123456789abcdef, 7, name);
	ck_assert_str_eq(name, "123456789abcdef-000000000000007");
	ck_assert_uint_eq(sizeof(name), 32); /* what sockjs_client_name() has room for */
	ck_assert(engine_member_gateway(bytes_of(name), &gateway));
	ck_assert(gateway == 0x123456789abcdef);
	name[3] = 'X';
	ck_assert(!engine_member_gateway(bytes_of(name), &gateway));
	ck_assert(!engine_member_gateway(BYTES("ann"), &gateway));
	ck_assert_ptr_null(engine_kind_find("redis"));
	ck_assert(!engine_is_between(engine_kind_find("memory")));
	ck_assert(engine_is_between(engine_kind_find("nats")));
}
END_TEST

START_TEST(what_comes_again_is_known)
{
	struct replay r;

	replay_init(&r);
	for (uint64_t i = 1; i <= 5000; i++) {
		ck_assert_int_eq(replay_note(&r, 1, i), 1);
		ck_assert_int_eq(replay_note(&r, 1, i), 0);
		ck_assert_int_eq(replay_note(&r, 2, 2 * i), 1);
	}
	ck_assert_int_eq(replay_note(&r, 1, 5000 - REPLAY_WINDOW), 0);
	for (uint64_t i = 5000; i > 5000 - REPLAY_WINDOW / 2; i--) {
		ck_assert_int_eq(replay_note(&r, 2, 2 * i - 1), 1); /* late */
		ck_assert_int_eq(replay_note(&r, 2, 2 * i - 1), 0);
		ck_assert_int_eq(replay_note(&r, 2, 2 * i), 0);
	}
	ck_assert_int_eq(replay_note(&r, 1, UINT64_MAX), 1);
	ck_assert_int_eq(replay_note(&r, 1, UINT64_MAX - REPLAY_WINDOW + 1), 1);
	ck_assert_int_eq(replay_note(&r, 1, UINT64_MAX), 0);
	ck_assert_int_eq(replay_note(&r, 1, 5001), 0);
	replay_fini(&r);
}
END_TEST

START_TEST(senders_are_bounded)
{
	struct replay r;

	replay_init(&r);
	for (uint64_t i = 0; i < 2 * REPLAY_SENDERS; i++) {
		ck_assert_int_eq(replay_note(&r, i, 1), 1);
		ck_assert_int_eq(replay_note(&r, 0, i + 2), 1);
	}
	ck_assert_int_eq(map_count(&r.senders), REPLAY_SENDERS);
	ck_assert_int_eq(replay_note(&r, 0, 2), 0); /* who is busy is not forgotten */
	replay_fini(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine names");
	TCase *tc = tcase_create("all");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, destinations_are_subjects_and_back);
	tcase_add_test(tc, octets_of_any_kind_come_back);
	tcase_add_test(tc, patterns_are_one_subject_or_two);
	tcase_add_test(tc, what_is_private_has_its_name);
	tcase_add_test(tc, what_is_too_long_is_none);
	tcase_add_test(tc, other_subjects_are_nonsense);
	tcase_add_test(tc, headers_are_hidden_and_shown);
	tcase_add_test(tc, members_know_their_gateway);
	tcase_add_test(tc, what_comes_again_is_known);
	tcase_add_test(tc, senders_are_bounded);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	buf_fini(&out);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
