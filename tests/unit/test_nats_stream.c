/*
 * tests/unit/test_nats_stream.c - what JetStream and servers say of themselves, read; and numbers
 * that come again. What is done with it is in tests/nats/.
 */
#include "nats/nats_stream.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "nats/nats_delivery.h"
#include "nats/nats_info.h"
#include "nats/nats_slots.h"

/* --- acknowledgements ------------------------------------------------------------------ */

START_TEST(an_acknowledgement_has_a_sequence)
{
	static const struct {
		const char *json;
		uint64_t sequence;
		bool is_duplicate;
	} table[] = {
		{ "{\"stream\":\"S\",\"seq\":1}", 1, false },
		{ "{\"stream\":\"S\", \"seq\":18}", 18, false },
		{ "{\"stream\":\"S\",\"seq\":9007199254740993}", 9007199254740993, false },
		{ "{\"stream\":\"S\",\"seq\":7,\"duplicate\": true}", 7, true },
		{ "{\"stream\":\"S\",\"domain\":\"d\",\"seq\":7}", 7, false },
		{ "{\"seq\":3,\"stream\":\"S\"}", 3, false },
		{ "{\"stream\":\"\\u0053\",\"seq\":4}", 4, false },
		{ " {\"stream\":\"S\",\"seq\": 5 } ", 5, false },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct nats_stored stored = { 0, true };
		const char *why;
		json_t *answer;

		ck_assert_int_eq(
		    nats_stored_read(bytes_of(table[i].json), &stored, &why, &answer), 0);
		ck_assert_uint_eq(stored.sequence, table[i].sequence);
		ck_assert_int_eq(stored.is_duplicate, table[i].is_duplicate);
		json_decref(answer);
	}
}
END_TEST

START_TEST(what_is_no_acknowledgement_is_told_with_a_sentence)
{
	static const struct {
		const char *json;
		int err;
	} table[] = {
		{ "", -EBADMSG },
		{ "[]", -EBADMSG },
		{ "{}", -EBADMSG },
		{ "{\"stream\":\"S\",\"seq\":}", -EBADMSG },
		{ "{\"stream\":\"S\",\"seq\":-1}", -EBADMSG },
		{ "{\"stream\":\"S\",\"seq\":0}", -EBADMSG },
		{ "{\"stream\":\"S\",\"seq\":18446744073709551616}", -EBADMSG },
		{ "{\"stream\":\"S\",\"seq\":1", -EBADMSG },
		{ "{\"error\":{\"code\":400,\"err_code\":10071,\"description\":\"wrong last "
		  "sequence\"}}",
		    -ESTALE },
		{ "{\"error\":{\"code\":503,\"description\":\"no space\"}}", -EREMOTEIO },
		{ "{\"error\":{\"code\":404}}", -ENOENT },
		{ "{\"error\":1}", -EREMOTEIO },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct nats_stored stored;
		const char *why = NULL;
		json_t *answer;

		ck_assert_int_eq(nats_stored_read(bytes_of(table[i].json), &stored, &why, &answer),
		    table[i].err);
		ck_assert_uint_gt(strlen(why), 5);
		json_decref(answer);
	}
}
END_TEST

/* Jansson takes some of these failures for nonsense, but not all. */
START_TEST(that_memory_is_out_is_no_nonsense)
{
	unsigned told = 0;
	int has_failed = 1;

	json_set_alloc_funcs(mem_alloc, mem_free);
	for (unsigned long nth = 1; has_failed && nth < 100; nth++) {
		struct nats_stored stored;
		const char *why;
		json_t *answer;
		int err;

		mem_fail_at(nth);
		err = nats_stored_read(
		    BYTES("{\"seq\":1,\"stream\":\"S\",\"x\":[]}"), &stored, &why, &answer);
		has_failed = mem_failed();
		mem_fail_at(0);
		ck_assert(has_failed ? err == -ENOMEM || err == -EBADMSG : err == 0);
		if (err == -ENOMEM)
			ck_assert_str_eq(why, "out of memory");
		told += err == -ENOMEM;
		json_decref(answer);
	}
	json_set_alloc_funcs(malloc, free);
	ck_assert_uint_gt(told, 2);
}
END_TEST

/* --- deliveries -------------------------------------------------------------------------- */

START_TEST(a_reply_subject_says_where_a_message_stands)
{
	static const char *const good[] = {
		"$JS.ACK.S.C.1.42.7.1700000000000000000.3",
		"$JS.ACK.domain.account.S.C.1.42.7.1700000000000000000.3",
		"$JS.ACK._.account.S.C.1.42.7.1700000000000000000.3.random",
	};
	static const char *const bad[] = { "", "a", "$JS.ACK.S.C.1.42.7.17",
		"$JS.NAK.S.C.1.42.7.17.3", "$JS.ACK.S.C.x.42.7.17.3", "$JS.ACK.S.C.1.42.7.17.3.4",
		"$JS.ACK.S.C.1.42.7.17.", "$JS.ACK.1.2.3.4.5.6.7.8.9.10.11" };
	struct nats_delivery d;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert(nats_delivery_read(bytes_of(good[i]), &d));
		ck_assert(bytes_equal(d.stream, BYTES("S")) && bytes_equal(d.consumer, BYTES("C")));
		ck_assert_uint_eq(d.delivered, 1);
		ck_assert_uint_eq(d.sequence, 42);
		ck_assert_uint_eq(d.consumer_sequence, 7);
		ck_assert_uint_eq(d.time_ns, 1700000000000000000);
		ck_assert_uint_eq(d.pending, 3);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert(!nats_delivery_read(bytes_of(bad[i]), &d));
}
END_TEST

/* --- INFO -------------------------------------------------------------------------------- */

START_TEST(info_is_read_and_what_it_does_not_say_has_a_default)
{
	struct nats_info info = { 0 };
	char json[400];

	ck_assert_int_eq(nats_info_read(&info, BYTES("{}")), 0);
	ck_assert(info.is_known && !info.requires_tls && !info.has_tls && !info.is_lame);
	ck_assert_uint_eq(info.max_payload, 1024 * 1024);
	ck_assert_str_eq(info.nonce, "");
	ck_assert_int_eq(
	    nats_info_read(&info,
	        BYTES("{\"tls_required\":true,\"headers\":true,\"ldm\":true,\"nonce\":\"n\","
	              "\"max_payload\":5,\"connect_urls\":[\"a:1\"],\"server_name\":\"x\"}")),
	    0);
	ck_assert(info.requires_tls && info.has_tls && info.has_headers && info.is_lame);
	ck_assert_uint_eq(info.max_payload, 5);
	ck_assert_uint_eq(json_array_size(info.urls), 1);
	ck_assert_str_eq(info.name, "x");
	ck_assert_int_eq(nats_info_read(&info, BYTES("[]")), -EBADMSG);
	ck_assert_int_eq(nats_info_read(&info, BYTES("{")), -EBADMSG);
	snprintf(json, sizeof(json), "{\"nonce\":\"%0128d\"}", 1);
	ck_assert_int_eq(nats_info_read(&info, bytes_of(json)), -EBADMSG);
	ck_assert_str_eq(info.nonce, "n"); /* it is as it was */
	nats_info_fini(&info);
}
END_TEST

START_TEST(members_have_a_host_and_a_port)
{
	static const char *const bad[] = { "", "a", ":1", "a:", "a:0", "a:65536", "a:x", "[]:1",
		"a-name-that-is-too-long:1" };
	char host[16];
	uint16_t port;

	ck_assert(nats_info_url("192.0.2.1:4222", host, sizeof(host), &port));
	ck_assert_str_eq(host, "192.0.2.1");
	ck_assert_uint_eq(port, 4222);
	ck_assert(nats_info_url("[2001:db8::1]:1", host, sizeof(host), &port));
	ck_assert_str_eq(host, "2001:db8::1");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert(!nats_info_url(bad[i], host, sizeof(host), &port));
}
END_TEST

/* --- numbers ------------------------------------------------------------------------------- */

START_TEST(a_number_that_was_given_back_is_nobodys)
{
	struct nats_slots s = { 0 };
	int owner, other;
	uint64_t first = nats_slots_add(&s, &owner), second;

	ck_assert_uint_ne(first, 0);
	ck_assert_ptr_eq(nats_slots_find(&s, first), &owner);
	nats_slots_remove(&s, first);
	nats_slots_remove(&s, first);
	ck_assert_ptr_null(nats_slots_find(&s, first));
	second = nats_slots_add(&s, &other);
	ck_assert_uint_ne(first, second);
	ck_assert_ptr_null(nats_slots_find(&s, first));
	ck_assert_ptr_eq(nats_slots_find(&s, second), &other);
	ck_assert_ptr_null(nats_slots_find(&s, 0));
	ck_assert_ptr_null(nats_slots_find(&s, UINT64_MAX));
	ck_assert_uint_eq(s.used, 1);
	nats_slots_fini(&s);
}
END_TEST

START_TEST(there_are_many_numbers_and_each_is_another)
{
	enum { MANY = 5000 };
	static uint64_t numbers[MANY];
	static int owners[MANY];
	struct nats_slots s = { 0 };

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++)
			ck_assert_uint_ne(numbers[i] = nats_slots_add(&s, &owners[i]), 0);
		for (int i = 0; i < MANY; i++)
			ck_assert_ptr_eq(nats_slots_find(&s, numbers[i]), &owners[i]);
		for (int i = 0; i < MANY; i++)
			nats_slots_remove(&s, numbers[i]);
	}
	ck_assert_uint_eq(s.used, 0);
	ck_assert_uint_le(s.size, 2 * MANY);
	mem_fail_at(1);
	while (nats_slots_add(&s, owners) && !mem_failed())
		;
	ck_assert(mem_failed());
	mem_fail_at(0);
	ck_assert_uint_ne(nats_slots_add(&s, owners), 0);
	nats_slots_fini(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nats_stream");
	TCase *tc = tcase_create("stream");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, an_acknowledgement_has_a_sequence);
	tcase_add_test(tc, what_is_no_acknowledgement_is_told_with_a_sentence);
	tcase_add_test(tc, that_memory_is_out_is_no_nonsense);
	tcase_add_test(tc, a_reply_subject_says_where_a_message_stands);
	tcase_add_test(tc, info_is_read_and_what_it_does_not_say_has_a_default);
	tcase_add_test(tc, members_have_a_host_and_a_port);
	tcase_add_test(tc, a_number_that_was_given_back_is_nobodys);
	tcase_add_test(tc, there_are_many_numbers_and_each_is_another);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
