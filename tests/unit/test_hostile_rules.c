/*
 * tests/unit/test_hostile_rules.c - the language of rules: each rule, each error and its place;
 * when a rule holds; chance that comes out the same again.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hostile/chance.h"
#include "hostile/rules.h"
#include "hostile/situation.h"

static struct rule rule_of(const char *text)
{
	struct rule r;
	struct rule_error error;
	int err = rule_parse(&r, bytes_of(text), &error);

	ck_assert_msg(err == 0, "%s: %u: %s", text, error.column, error.sentence);
	ck_assert_str_eq(r.text, text);
	return r;
}

/* --- reading ------------------------------------------------------------------------- */

static const struct {
	const char *text;
	enum rule_kind kind;
} right[] = {
	{ "502", RULE_STATUS },
	{ "status 403 on POST xhr_send, /info", RULE_STATUS },
	{ "hang on upgrade", RULE_HANG },
	{ "strip upgrade", RULE_STRIP_UPGRADE },
	{ "http 1.0 on /a", RULE_HTTP_1_0 },
	{ "duplicate once", RULE_DUPLICATE },
	{ "connect only 443, 8443", RULE_CONNECT_ONLY },
	{ "set request Host: \"a b:1\"", RULE_HEADER },
	{ "add response X-Y z on websocket", RULE_HEADER },
	{ "remove request Origin 10%", RULE_HEADER },
	{ "close-delimited", RULE_CLOSE_DELIMITED },
	{ "drop first client frame", RULE_DROP },
	{ "drop client frame 3 times", RULE_DROP },
	{ "drop 0.5% of server frames", RULE_DROP },
	{ "after 10 frames: black", RULE_BLACK },
	{ "black hole client for 5s", RULE_BLACK },
	{ "stall for 1m", RULE_STALL },
	{ "delay 800", RULE_DELAY },
	{ "delay 1s server jitter 200ms", RULE_DELAY },
	{ "rate 64KiB bytes", RULE_RATE },
	{ "pieces 1 every 10ms", RULE_PIECES },
	{ "coalesce 200ms", RULE_COALESCE },
	{ "hold", RULE_HOLD },
	{ "hold until end", RULE_HOLD },
	{ "hold 4096 on xhr_streaming", RULE_HOLD },
	{ "corrupt byte 100 client", RULE_CORRUPT },
	{ "cut idle 20s silent", RULE_CUT },
	{ "connection 2-: age 1h: cut rst", RULE_CUT },
	{ "reset after 64KiB server bytes", RULE_CUT },
	{ "accept nothing at 1s for 5s", RULE_ACCEPT_NOTHING },
	{ "3 times: after 101: cut", RULE_CUT },
	{ "on GET /x: after 2 requests: 500", RULE_STATUS },
};

START_TEST(each_rule_is_read)
{
	ck_assert_int_eq(rule_of(right[_i].text).kind, right[_i].kind);
}
END_TEST

START_TEST(what_it_says_is_known)
{
	struct rule r = rule_of("drop client frame 7 20% connection 2-5");

	ck_assert(r.n == 7 && r.chance == 200000 && r.ways[FROM_CLIENT] && !r.ways[FROM_SERVER]);
	ck_assert(r.connection_from == 2 && r.connection_to == 5);
	r = rule_of("on POST xhr, /x*: after 20s: delay 1s jitter 5 for 3s 2 times");
	ck_assert(r.target_count == 2 && r.after.ms == 20000 && r.ms == 1000 && r.jitter_ms == 5);
	ck_assert(r.for_ms == 3000 && r.times == 2 && r.ways[FROM_CLIENT] && r.ways[FROM_SERVER]);
	ck_assert_str_eq(r.targets[0].method, "POST");
	ck_assert_str_eq(r.targets[0].transport, "xhr");
	ck_assert_str_eq(r.targets[1].path, "/x*");
	r = rule_of("after 64KiB: hold");
	ck_assert(r.after.bytes == 65536 && r.after.bytes_from[0] && r.after.bytes_from[1]);
	ck_assert(r.n == 0 && !r.ways[FROM_CLIENT] && r.ways[FROM_SERVER]);
	r = rule_of("after 101: black");
	ck_assert(r.after.upgraded && r.after.ms == 0);
	r = rule_of("after 101 frames: black");
	ck_assert(!r.after.upgraded && r.after.frames == 101);
	r = rule_of("after open: cut fin");
	ck_assert(r.after.frames == 1 && !r.after.frames_from[0] && r.after.frames_from[1]);
	r = rule_of("set response X: \"a; b: c\"");
	ck_assert(r.of_response && r.header == HEADER_SET);
	ck_assert_str_eq(r.name, "X");
	ck_assert_str_eq(r.value, "a; b: c");
}
END_TEST

static const struct {
	const char *text;
	unsigned column;
	const char *says;
} wrong[] = {
	{ "", 1, "an action stands here" },
	{ "frobnicate", 1, "an action stands here" },
	{ "after 10 frames", 17, "a colon stands between" },
	{ "after 10 frames black", 17, "a colon stands between" },
	{ "after 10 frames:", 18, "an action stands here" },
	{ "drop frist frame", 6, "'frist' means nothing" },
	{ "after 0 frames: black", 9, "at once" },
	{ "after 10 client requests: 502", 17, "frames, bytes or requests" },
	{ "after long: black", 7, "is a time such as" },
	{ "on nothing: black", 4, "behind 'on' stands" },
	{ "on GET,: black", 8, "behind 'on' stands" },
	{ "connection 0: black", 12, "a connection is a number" },
	{ "connection 5-2: black", 12, "a connection is a number" },
	{ "connection every: black", 17, "the number behind 'every'" },
	{ "delay", 7, "a delay is a time" },
	{ "delay 800 jitter", 18, "a jitter is a time" },
	{ "rate 0", 6, "is a number of octets" },
	{ "rate fast", 6, "is a number of octets" },
	{ "hold 0", 6, "what is held" },
	{ "hold until noon", 12, "what is held" },
	{ "pieces", 8, "the size of a piece" },
	{ "coalesce", 10, "go out together" },
	{ "corrupt byte", 14, "the place of the octet" },
	{ "cut gently", 5, "'gently' means nothing" },
	{ "cut idle", 10, "what stands behind 'idle'" },
	{ "cut idle 0", 10, "idle for no time" },
	{ "black for 0s", 11, "for no time at all" },
	{ "strip everything", 7, "'upgrade' is all" },
	{ "http 2", 6, "1.0 is the only version" },
	{ "accept all", 8, "'accept nothing'" },
	{ "connect 443", 9, "'connect only PORT'" },
	{ "connect only 0", 14, "a port" },
	{ "connect only 70000", 14, "a port" },
	{ "set header X y", 5, "'request' or 'response'" },
	{ "set request : y", 13, "a name of a header field" },
	{ "set request X", 15, "a value stands here" },
	{ "99", 1, "a status of a final response" },
	{ "600", 1, "a status of a final response" },
	{ "0 times: black", 1, "how many times" },
	{ "black \"x", 7, "no partner" },
	{ "black\x01", 6, "a control character" },
	{ "black drop", 7, "'drop' means nothing" },
	{ "502 idle 5s", 5, "the condition 'idle'" },
	{ "502 client", 5, "the condition 'client'" },
	{ "cut for 5s", 5, "the condition 'for'" },
	{ "accept nothing on /x", 16, "the condition 'on'" },
	{ "accept nothing once", 16, "the condition 'once'" },
	{ "accept nothing 5%", 16, "the condition '5%'" },
	{ "accept nothing connection 1", 16, "the condition 'connection'" },
	{ "accept nothing after 5s", 16, "the condition 'after'" },
	{ "after 1 frames: 502", 1, "the condition 'after'" },
};

START_TEST(each_error_is_said_and_where)
{
	struct rule r;
	struct rule_error error;

	ck_assert_int_eq(rule_parse(&r, bytes_of(wrong[_i].text), &error), -EINVAL);
	ck_assert_msg(strstr(error.sentence, wrong[_i].says) != NULL, "%s: %s", wrong[_i].text,
	    error.sentence);
	ck_assert_msg(error.column == wrong[_i].column, "%s: %u: %s", wrong[_i].text, error.column,
	    error.sentence);
}
END_TEST

START_TEST(limits_are_kept)
{
	static char text[RULE_TEXT_MAX + 1];
	struct rule r;
	struct rule_error error;

	memset(text, ' ', RULE_TEXT_MAX);
	ck_assert_int_eq(rule_parse(&r, bytes_of(text), &error), -EINVAL);
	for (size_t i = 0; i < 2 * (WORDS_MOST + 1); i += 2)
		text[i] = 'a';
	text[RULE_TEXT_MAX - 2] = '\0';
	ck_assert_int_eq(rule_parse(&r, bytes_of(text), &error), -EINVAL);
	ck_assert_str_eq(error.sentence, "this rule has too many words");
}
END_TEST

/* --- lists --------------------------------------------------------------------------- */

static int add(struct rules *rules, const char *text, struct rule_error *error)
{
	return rules_add(rules, bytes_of(text), error);
}

START_TEST(a_text_is_taken_whole_or_not_at_all)
{
	static struct rules rules;
	struct rule_error error;

	ck_assert_int_eq(
	    add(&rules, "# no rule\n\nblack; delay 5\r\nset request X \"a;b\"\n", &error), 0);
	ck_assert_uint_eq(rules.count, 3);
	ck_assert_str_eq(rules.rule[2]->value, "a;b");
	ck_assert_int_eq(add(&rules, "hold\nblack; dleay 5", &error), -EINVAL);
	ck_assert(error.line == 2 && error.column == 8);
	ck_assert_uint_eq(rules.count, 3);
	ck_assert_int_eq(rules_replace(&rules, BYTES("nothing"), 7, &error), -EINVAL);
	ck_assert_uint_eq(rules.count, 3);
	ck_assert_int_eq(rules_replace(&rules, BYTES("hold"), 7, &error), 0);
	ck_assert(rules.count == 1 && rules.given_ms == 7 && rules.rule[0]->id == 1);
	rules_clear(&rules, 9);
	ck_assert(rules.count == 0 && rules.generation == 2);
	rules_fini(&rules);
}
END_TEST

START_TEST(there_are_no_more_than_256)
{
	static struct rules rules;
	struct rule_error error;

	for (int i = 0; i < RULES_MOST; i++)
		ck_assert_int_eq(add(&rules, "black", &error), 0);
	ck_assert_int_eq(add(&rules, "black", &error), -E2BIG);
	ck_assert_uint_eq(rules.count, RULES_MOST);
	rules_fini(&rules);
}
END_TEST

START_TEST(without_memory_nothing_changes)
{
	static struct rules rules;
	struct rule_error error;

	ck_assert_int_eq(add(&rules, "black", &error), 0);
	for (unsigned long nth = 1; nth <= 2; nth++) {
		mem_fail_at(nth);
		ck_assert_int_eq(rules_replace(&rules, BYTES("hold"), 0, &error), -ENOMEM);
		mem_fail_at(0);
		ck_assert(rules.count == 1 && rules.rule[0]->kind == RULE_BLACK);
	}
	rules_fini(&rules);
}
END_TEST

/* --- when ---------------------------------------------------------------------------- */

static struct request_facts facts;

static struct situation situation_of(const char *method, const char *path, bool upgrade)
{
	struct situation s = { .now = 10000, .rules_ms = 9000, .connection = 3, .requests = 2 };

	request_facts_read(&facts, bytes_of(method), bytes_of(path), upgrade);
	s.request = &facts;
	s.total = (struct counts){ 5000, { 100, 200 }, { 3, 4 } };
	s.here = (struct counts){ 8000, { 10, 20 }, { 1, 2 } };
	s.heard_ms = 9500;
	return s;
}

static const struct {
	const char *rule, *method, *path;
	bool is_about;
} about[] = {
	{ "black", "GET", "/", true },
	{ "black on xhr", "POST", "/echo/1/2/xhr?x=/y", true },
	{ "black on xhr", "POST", "/echo/1/2/xhr_send", false },
	{ "black on info", "GET", "/echo/info", true },
	{ "black on iframe", "GET", "/echo/iframe-1.2.html", true },
	{ "black on /info", "GET", "/echo/info?t=1", true },
	{ "black on /info", "GET", "/echo/infos", false },
	{ "black on /echo/*", "GET", "/echo/1/2/xhr", true },
	{ "black on /echo/*", "GET", "/x/echo/1", false },
	{ "black on *", "GET", "/", true },
	{ "black on /*/xhr*", "GET", "/a/b/xhr_send", true },
	{ "black on /*/xhr", "GET", "/a/xhr/b", false },
	{ "black on /a*b*c", "GET", "/abbbxbcbc", true },
	{ "black on /a*b*c", "GET", "/abbbxbcb", false },
	{ "black on GET /x, POST /y", "POST", "/y", true },
	{ "black on GET /x, POST /y", "POST", "/x", false },
	{ "black on PUT", "PUT", "/anything", true },
	{ "black on websocket", "GET", "/echo/websocket", true }, /* its name says so */
	{ "black connection 3", "GET", "/", true },
	{ "black connection 1-2", "GET", "/", false },
	{ "black connection every 3", "GET", "/", true },
	{ "black connection every 2", "GET", "/", false },
};

START_TEST(a_rule_is_about_what_it_names)
{
	struct rule r = rule_of(about[_i].rule);
	struct situation s = situation_of(about[_i].method, about[_i].path, false);

	ck_assert_msg(rule_is_about(&r, &s) == about[_i].is_about, "%s", about[_i].rule);
	s.request = NULL;
	ck_assert(r.target_count == 0 || !rule_is_about(&r, &s));
}
END_TEST

START_TEST(whoever_asks_for_an_upgrade_is_a_websocket)
{
	struct rule r = rule_of("black on upgrade");
	struct situation s = situation_of("GET", "/raw", true);

	ck_assert(rule_is_about(&r, &s));
	s = situation_of("GET", "/raw", false);
	ck_assert(!rule_is_about(&r, &s));
}
END_TEST

static const struct {
	const char *rule;
	bool is_due;
	uint64_t wait;
} due[] = {
	{ "black", true, NEVER },
	{ "after 300 bytes: black", true, NEVER },
	{ "after 301 bytes: black", false, NEVER },
	{ "after 101 client bytes: black", false, NEVER },
	{ "after 200 server bytes: black", true, NEVER },
	{ "on GET: after 30 bytes: black", true, NEVER },
	{ "on GET: after 31 bytes: black", false, NEVER },
	{ "after 7 frames: black", true, NEVER },
	{ "after 8 frames: black", false, NEVER },
	{ "after 4 client frames: black", false, NEVER },
	{ "after 101: black", false, NEVER },
	{ "after 1 requests: black", true, NEVER },
	{ "after 2 requests: black", false, NEVER },
	{ "after 5s: black", true, NEVER },
	{ "after 5001ms: black", false, 1 },
	{ "on GET: after 3s: black", false, 1000 },
	{ "at 1s: black", true, NEVER },
	{ "at 1100ms: black", false, 100 },
	{ "idle 500ms: black", true, NEVER },
	{ "idle 2s: black", false, 1500 },
	{ "502 for 1s", false, NEVER },
	{ "502 for 1001ms", true, NEVER },
	{ "on GET: after 100 bytes: 502", true, NEVER },
	{ "drop frames for 1s", false, NEVER },
	{ "drop frames for 2s", true, NEVER },
};

START_TEST(a_rule_is_due_when_all_its_conditions_are)
{
	struct rule r = rule_of(due[_i].rule);
	struct situation s = situation_of("GET", "/", false);
	uint64_t wait = NEVER;

	ck_assert_msg(rule_is_due(&r, &s, &wait) == due[_i].is_due, "%s", due[_i].rule);
	ck_assert_msg(wait == due[_i].wait, "%s: %lu", due[_i].rule, (unsigned long)wait);
}
END_TEST

START_TEST(octets_before_an_edge_are_known)
{
	struct situation s = situation_of("GET", "/", false);
	struct rule r = rule_of("after 310 bytes: black");

	ck_assert_uint_eq(rule_edge(&r, &s, FROM_CLIENT), 10);
	r = rule_of("after 210 server bytes: black");
	ck_assert_uint_eq(rule_edge(&r, &s, FROM_CLIENT), NEVER);
	ck_assert_uint_eq(rule_edge(&r, &s, FROM_SERVER), 10);
	r = rule_of("corrupt byte 201");
	ck_assert_uint_eq(rule_edge(&r, &s, FROM_SERVER), 1);
	r = rule_of("corrupt byte 205");
	ck_assert_uint_eq(rule_edge(&r, &s, FROM_SERVER), 4);
	r = rule_of("corrupt byte 200");
	ck_assert_uint_eq(rule_edge(&r, &s, FROM_SERVER), NEVER);
}
END_TEST

START_TEST(chance_is_the_same_again_and_different_elsewhere)
{
	unsigned hits = 0;

	ck_assert_uint_eq(chance_draw(1, 2, 0, 3, 4), chance_draw(1, 2, 0, 3, 4));
	ck_assert_uint_ne(chance_draw(1, 2, 0, 3, 4), chance_draw(2, 2, 0, 3, 4));
	ck_assert_uint_ne(chance_draw(1, 2, 0, 3, 4), chance_draw(1, 3, 0, 3, 4));
	ck_assert_uint_ne(chance_draw(1, 2, 0, 3, 4), chance_draw(1, 2, 1, 3, 4));
	ck_assert_uint_ne(chance_draw(1, 2, 0, 3, 4), chance_draw(1, 2, 0, 4, 4));
	ck_assert_uint_ne(chance_draw(1, 2, 0, 3, 4), chance_draw(1, 2, 0, 3, 5));
	/* The first of a seed: another order of words would find another one */
	ck_assert_uint_eq(
	    chance_draw(1, 1, 0, 1, 1) % 1000000, chance_draw(1, 1, 0, 1, 1) % 1000000);
	for (uint64_t i = 0; i < 10000; i++)
		hits += chance_draw(7, i, 0, 1, 1) % 1000000 < 100000;
	ck_assert(hits > 900 && hits < 1100);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hostile_rules");
	TCase *tc = tcase_create("hostile_rules");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, each_rule_is_read, 0, sizeof(right) / sizeof(*right));
	tcase_add_test(tc, what_it_says_is_known);
	tcase_add_loop_test(tc, each_error_is_said_and_where, 0, sizeof(wrong) / sizeof(*wrong));
	tcase_add_test(tc, limits_are_kept);
	tcase_add_test(tc, a_text_is_taken_whole_or_not_at_all);
	tcase_add_test(tc, there_are_no_more_than_256);
	tcase_add_test(tc, without_memory_nothing_changes);
	tcase_add_loop_test(tc, a_rule_is_about_what_it_names, 0, sizeof(about) / sizeof(*about));
	tcase_add_test(tc, whoever_asks_for_an_upgrade_is_a_websocket);
	tcase_add_loop_test(
	    tc, a_rule_is_due_when_all_its_conditions_are, 0, sizeof(due) / sizeof(*due));
	tcase_add_test(tc, octets_before_an_edge_are_known);
	tcase_add_test(tc, chance_is_the_same_again_and_different_elsewhere);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
