/*
 * tests/rules/negotiation.c - RFC 7692 sections 5 and 7.1: what is offered, and what may
 * be answered to it.
 */
#include "rules/negotiation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what may be answered --------------------------------------------------------- */

/* Section 7.1.1.1, 7.1.2.1 and 7.1.2.2: what was asked for is confirmed, and what the client has
 * not said that it understands is not asked of it. */
static const char *check_accepted(const struct fitting *f, const struct agreed *a)
{
	if (f->server_forgets && !a->server_no_context_takeover)
		return "server_no_context_takeover is not confirmed";
	if (f->server_bits && !a->has_server_bits)
		return "server_max_window_bits is not confirmed";
	if (f->server_bits && a->server_bits > f->server_bits)
		return "server_max_window_bits is more than was offered";
	if (!f->client_bits && a->has_client_bits)
		return "client_max_window_bits, which was not offered";
	if (a->has_client_bits && a->client_bits > f->client_bits)
		return "client_max_window_bits is more than was offered";
	return NULL;
}

const char *negotiation_check(
    const struct fitting *fitting, const char *extensions, struct agreed *agreed)
{
	const char *wrong;

	if (!extensions)
		return fitting && fitting->answer == ACCEPTED ? "the offer is not accepted" : NULL;
	if (!fitting)
		return "an extension that nobody offered";
	if (fitting->answer == REFUSED)
		return "the client takes what it did not offer";
	if (fitting->answer == DECLINED || fitting->answer == DECLINED_OR_REFUSED)
		return "an offer that must be declined is accepted";
	wrong = agreed_parse(agreed, extensions);
	return wrong ? wrong : check_accepted(fitting, agreed);
}

/* --- what is done with it ------------------------------------------------------------ */

static void play_echoes(struct script *s, const struct rule *r)
{
	const unsigned char *text = script_text(s, 5000);

	(void)r;
	echo_text(s, "it works");
	if (s->agreed) {
		echo_compressed(s, TEXT, text, 5000, &(struct style){ 0 });
		echo_compressed(s, TEXT, text, 5000, &(struct style){ 0 });
		echo_compressed(s, BINARY, script_noise(s, 700), 700, &(struct style){ 0 });
	}
	echo(s, TEXT, text, 5000);
}

/* What was declined is not used. */
static void play_reserved_bit(struct script *s, const struct rule *r)
{
	(void)r;
	send_frame(s, FIN | RSV1 | TEXT, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
	expect_failure(s, 1002);
}

/* --- offers --------------------------------------------------------------------------- */

#define PMD "permessage-deflate"

struct offer {
	const char *what, *offer;
	struct fitting fitting;
};

static const struct offer good_offers[] = {
	{ "without parameters", PMD, { .answer = ACCEPTED } },
	{ "with client_max_window_bits without a value", PMD "; client_max_window_bits",
	    { .answer = ACCEPTED, .client_bits = 15 } },
	{ "without blanks", PMD ";server_no_context_takeover;client_max_window_bits=10",
	    { .answer = ACCEPTED, .server_forgets = true, .client_bits = 10 } },
	{ "with many blanks",
	    " \t" PMD " \t; \t server_no_context_takeover ; client_max_window_bits=10  ",
	    { .answer = ACCEPTED, .server_forgets = true, .client_bits = 10 } },
	{ "with server_max_window_bits in quotes", PMD "; server_max_window_bits=\"10\"",
	    { .answer = ACCEPTED, .server_bits = 10 } },
	{ "with client_max_window_bits in quotes", PMD "; client_max_window_bits=\"10\"",
	    { .answer = ACCEPTED, .client_bits = 10 } },
	{ "behind an unknown extension", "x-unknown, " PMD, { .answer = ACCEPTED } },
	{ "behind an unknown extension with parameters", "x-unknown; a; b=c; d=\"e\", " PMD,
	    { .answer = ACCEPTED } },
	{ "before an unknown extension", PMD ", x-unknown; a=b", { .answer = ACCEPTED } },
	{ "behind an unknown extension with our parameter",
	    "x-unknown; server_max_window_bits=7, " PMD, { .answer = ACCEPTED } },
	{ "on a line behind another extension", "x-unknown; a=b\n" PMD, { .answer = ACCEPTED } },
	{ "on a line before another extension", PMD "\nx-unknown; a=b", { .answer = ACCEPTED } },
	{ "among empty elements", ", ,," PMD ",,", { .answer = ACCEPTED } },
	{ "twice", PMD ", " PMD, { .answer = ACCEPTED } },
	{ "whose first has an unknown parameter",
	    PMD "; unknown, " PMD "; server_max_window_bits=12",
	    { .answer = ACCEPTED, .server_bits = 12 } },
	{ "whose first has a window of 7 bits",
	    PMD "; server_max_window_bits=7, " PMD "; client_max_window_bits=12",
	    { .answer = ACCEPTED, .client_bits = 12 } },
	{ "whose first has a window of 16 bits",
	    PMD "; client_max_window_bits=16; server_no_context_takeover, " PMD,
	    { .answer = ACCEPTED } },
	{ "whose first has a parameter twice",
	    PMD "; client_max_window_bits; client_max_window_bits, " PMD, { .answer = ACCEPTED } },
	{ "whose first has a value where none may be",
	    PMD "; server_no_context_takeover=1, " PMD "; server_no_context_takeover",
	    { .answer = ACCEPTED, .server_forgets = true } },
	{ "whose fourth alone is right",
	    PMD "; a, " PMD "; server_max_window_bits, " PMD "; server_max_window_bits=99, " PMD
	        "; server_max_window_bits=11; client_max_window_bits",
	    { .answer = ACCEPTED, .server_bits = 11, .client_bits = 15 } },
	{ "on lines of which the last alone is right",
	    PMD "; a\n" PMD "; server_max_window_bits=08\n" PMD "; server_max_window_bits=9",
	    { .answer = ACCEPTED, .server_bits = 9 } },
	{ "to fall back from small windows to any",
	    PMD "; server_max_window_bits=8; client_max_window_bits=8, " PMD
	        "; client_max_window_bits",
	    { .answer = ACCEPTED, .client_bits = 15 } },
};

struct bad_offer {
	const char *what, *offer;
};

static const struct fitting declined = { .answer = DECLINED };

static const struct bad_offer bad_offers[] = {
	{ "of an unknown extension", "x-unknown" },
	{ "of x-webkit-deflate-frame", "x-webkit-deflate-frame" },
	{ "of permessage-bzip2", "permessage-bzip2" },
	{ "of an extension whose name goes on", PMD "2" },
	{ "of an extension whose name ends early", "permessage-deflat" },
	{ "of an extension whose name begins earlier", "x" PMD },
	{ "with an unknown parameter", PMD "; unknown" },
	{ "with an unknown parameter with a value", PMD "; unknown=10" },
	{ "with an unknown parameter behind known ones",
	    PMD "; server_no_context_takeover; client_max_window_bits; unknown" },
	{ "with a parameter whose name goes on", PMD "; server_max_window_bits2=10" },
	{ "with a parameter whose name ends early", PMD "; server_max_window_bit=10" },
	{ "with a parameter of another draft", PMD "; s2c_max_window_bits=10" },
	{ "with server_max_window_bits without a value", PMD "; server_max_window_bits" },
	{ "with server_no_context_takeover twice",
	    PMD "; server_no_context_takeover; server_no_context_takeover" },
	{ "with client_no_context_takeover twice",
	    PMD "; client_no_context_takeover; client_no_context_takeover" },
	{ "with server_max_window_bits twice",
	    PMD "; server_max_window_bits=10; server_max_window_bits=10" },
	{ "with server_max_window_bits twice and different",
	    PMD "; server_max_window_bits=10; server_max_window_bits=12" },
	{ "with client_max_window_bits twice",
	    PMD "; client_max_window_bits=10; client_max_window_bits=10" },
	{ "with client_max_window_bits with and without a value",
	    PMD "; client_max_window_bits=10; client_max_window_bits" },
	{ "with a parameter twice, others between",
	    PMD "; client_max_window_bits; server_no_context_takeover; server_max_window_bits=10; "
	        "client_max_window_bits" },
	{ "of which both are wrong", PMD "; a, " PMD "; b" },
	{ "with server_no_context_takeover=1", PMD "; server_no_context_takeover=1" },
	{ "with server_no_context_takeover=0", PMD "; server_no_context_takeover=0" },
	{ "with server_no_context_takeover=true", PMD "; server_no_context_takeover=true" },
	{ "with client_no_context_takeover=1", PMD "; client_no_context_takeover=1" },
	{ "with client_no_context_takeover=15", PMD "; client_no_context_takeover=15" },
	{ "with client_no_context_takeover=\"a\"", PMD "; client_no_context_takeover=\"a\"" },
};

/* Section 9.1 of RFC 6455: what the grammar does not allow fails the handshake, and a server that
 * sees no offer in it has at least not taken it for one. */
static const struct fitting declined_or_refused = { .answer = DECLINED_OR_REFUSED };

static const struct bad_offer broken_offers[] = {
	{ "of a semicolon", ";" },
	{ "of an equals sign", "=" },
	{ "of a quotation mark", "\"" },
	{ "of a name in quotes", "\"" PMD "\"" },
	{ "of a name with a slash", PMD "/1" },
	{ "of a name with a value", PMD "=1" },
	{ "of a name with a blank", "permessage deflate" },
	{ "without a semicolon before its parameter", PMD " server_no_context_takeover" },
	{ "that ends with a semicolon", PMD ";" },
	{ "with two semicolons", PMD ";; server_no_context_takeover" },
	{ "with a semicolon behind its parameter", PMD "; server_no_context_takeover;" },
	{ "with a value without a name", PMD "; =10" },
	{ "with a name with a blank", PMD "; server no_context_takeover" },
	{ "with two values", PMD "; server_max_window_bits=10=11" },
	{ "with a blank in a value", PMD "; server_max_window_bits=1 0" },
	{ "with a quote that is not closed", PMD "; server_max_window_bits=\"10" },
	{ "with a quote that was not opened", PMD "; server_max_window_bits=10\"" },
	{ "with something behind a quote", PMD "; server_max_window_bits=\"1\"0" },
	{ "with a blank in quotes", PMD "; server_max_window_bits=\" 10\"" },
	{ "inside the quotes of another", "x; a=\"b, " PMD "\"" },
	{ "inside quotes that are not closed", "x; a=\"b, " PMD },
	{ "behind an escaped quote", "x; a=\"\\\", " PMD "; b=\"" },
	{ "with octets that are not ASCII", PMD "; server_max_window_bits=1\xd9\xa0" },
};

static void add_good(struct catalogue *c)
{
	for (size_t i = 0; i < sizeof(good_offers) / sizeof(good_offers[0]); i++) {
		struct rule *r =
		    rule_add(c, play_echoes, "7692 7.1 offer %s is accepted", good_offers[i].what);

		r->on = ON_SERVER | ON_WIRE;
		r->offer = good_offers[i].offer;
		r->fitting = &good_offers[i].fitting;
	}
}

static void add_bad(struct catalogue *c, const char *section, const struct bad_offer *offers,
    size_t n, const struct fitting *fitting, const char *end, play_fn *play)
{
	for (size_t i = 0; i < n; i++) {
		struct rule *r = rule_add(c, play, "%s offer %s %s", section, offers[i].what, end);

		r->on = ON_SERVER | ON_WIRE;
		r->offer = offers[i].offer;
		r->fitting = fitting;
	}
}

/* --- windows ------------------------------------------------------------------------------ */

static void add_offer(
    struct catalogue *c, const char *name, const char *offer, struct fitting fitting)
{
	struct rule *r = rule_add(c, play_echoes, "%s", name);
	struct fitting *copy = malloc(sizeof(*copy));

	if (!copy)
		abort();
	*copy = fitting;
	r->on = ON_SERVER | ON_WIRE;
	r->offer = strdup(offer);
	r->fitting = copy;
}

/* A server may not know a window of 8 bits, which zlib does not make; it inflates any. */
static void add_good_windows(struct catalogue *c)
{
	char name[120], offer[120];

	for (unsigned bits = 8; bits <= 15; bits++) {
		snprintf(
		    name, sizeof(name), "7692 7.1.2.1 server_max_window_bits=%u is kept", bits);
		snprintf(offer, sizeof(offer), PMD "; server_max_window_bits=%u", bits);
		add_offer(c, name, offer,
		    (struct fitting){
		        .answer = bits == 8 ? ACCEPTED_OR_NOT : ACCEPTED, .server_bits = bits });
		snprintf(
		    name, sizeof(name), "7692 7.1.2.2 client_max_window_bits=%u is accepted", bits);
		snprintf(offer, sizeof(offer), PMD "; client_max_window_bits=%u", bits);
		add_offer(
		    c, name, offer, (struct fitting){ .answer = ACCEPTED, .client_bits = bits });
	}
}

static void add_bad_windows(struct catalogue *c)
{
	static const char *const values[] = { "0", "1", "7", "16", "17", "32", "08", "010", "0010",
		"+10", "-10", "-8", "10.0", "10x", "x10", "0xa", "1e1", "ten", "264", "266",
		"65546", "4294967304", "4294967306", "18446744073709551626",
		"99999999999999999999999999", "\"7\"", "\"16\"", "\"08\"", "\"\"", "" };
	static const char *const sides[] = { "server", "client" };
	char name[120], offer[120];

	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			bool broken = !values[i][0] || strcmp(values[i], "\"\"") == 0;

			snprintf(name, sizeof(name),
			    "7692 7.1.2.%d %s_max_window_bits=%s is declined", side + 1,
			    sides[side], values[i]);
			snprintf(offer, sizeof(offer), PMD "; %s_max_window_bits=%s", sides[side],
			    values[i]);
			add_offer(c, name, offer,
			    (struct fitting){ .answer = broken ? DECLINED_OR_REFUSED : DECLINED });
		}
}

/* --- combinations -------------------------------------------------------------------------- */

static const char *const parameters[] = { "server_no_context_takeover",
	"client_no_context_takeover", "server_max_window_bits=10", "client_max_window_bits=12",
	"client_max_window_bits" };

enum { PARAMETERS = 5 };

/* CHOSEN: a bit for each; backwards or not. */
static void add_combination(struct catalogue *c, unsigned chosen, bool backwards)
{
	char offer[200] = PMD, name[240];
	struct fitting fitting = { .answer = ACCEPTED, .server_forgets = chosen & 1 };

	for (int i = 0; i < PARAMETERS; i++) {
		int k = backwards ? PARAMETERS - 1 - i : i;

		if (chosen & 1u << k) {
			strcat(offer, "; ");
			strcat(offer, parameters[k]);
		}
	}
	fitting.server_bits = chosen & 4 ? 10 : 0;
	fitting.client_bits = chosen & 8 ? 12 : chosen & 16 ? 15 : 0;
	snprintf(name, sizeof(name), "7692 7.1 combination %s%s%s%s%s%s", chosen & 1 ? "S" : "",
	    chosen & 2 ? "C" : "", chosen & 4 ? "s10" : "", chosen & 8 ? "c12" : "",
	    chosen & 16 ? "c" : "", backwards ? ", backwards" : "");
	add_offer(c, name, offer, fitting);
}

static void add_combinations(struct catalogue *c)
{
	for (unsigned chosen = 3; chosen < 1u << PARAMETERS; chosen++) {
		bool twice = (chosen & 24) == 24, one = (chosen & (chosen - 1)) == 0;

		if (twice || one)
			continue;
		add_combination(c, chosen, false);
		add_combination(c, chosen, true);
	}
	add_combination(c, 1, false);
	add_combination(c, 2, false);
}

/* --- answers that a client has to refuse ------------------------------------------ */

static const struct fitting refused = { .answer = REFUSED };

/* To an offer of permessage-deflate with client_max_window_bits. */
static const struct bad_offer bad_answers[] = {
	{ "of an unknown extension", "x-unknown" },
	{ "of an unknown extension beside ours", PMD ", x-unknown" },
	{ "of permessage-deflate twice", PMD ", " PMD },
	{ "of permessage-deflate on two lines", PMD "\n" PMD },
	{ "with an unknown parameter", PMD "; unknown" },
	{ "with an unknown parameter with a value", PMD "; unknown=10" },
	{ "with server_no_context_takeover twice",
	    PMD "; server_no_context_takeover; server_no_context_takeover" },
	{ "with client_max_window_bits twice",
	    PMD "; client_max_window_bits=10; client_max_window_bits=10" },
	{ "with server_no_context_takeover=1", PMD "; server_no_context_takeover=1" },
	{ "with client_no_context_takeover=1", PMD "; client_no_context_takeover=1" },
	{ "with client_max_window_bits without a value", PMD "; client_max_window_bits" },
	{ "with server_max_window_bits without a value", PMD "; server_max_window_bits" },
	{ "with server_max_window_bits=7", PMD "; server_max_window_bits=7" },
	{ "with server_max_window_bits=16", PMD "; server_max_window_bits=16" },
	{ "with server_max_window_bits=08", PMD "; server_max_window_bits=08" },
	{ "with client_max_window_bits=7", PMD "; client_max_window_bits=7" },
	{ "with client_max_window_bits=16", PMD "; client_max_window_bits=16" },
	{ "with client_max_window_bits=010", PMD "; client_max_window_bits=010" },
	{ "that is a semicolon", ";" },
	{ "that ends with a semicolon", PMD ";" },
	{ "with a quote that is not closed", PMD "; server_max_window_bits=\"10" },
};

static void add_bad_answers(struct catalogue *c)
{
	for (size_t i = 0; i < sizeof(bad_answers) / sizeof(bad_answers[0]); i++) {
		struct rule *r = rule_add(
		    c, play_echoes, "7692 5.1 client refuses an answer %s", bad_answers[i].what);

		r->on = ON_CLIENT;
		r->answer = bad_answers[i].offer;
		r->fitting = &refused;
	}
}

/* --- long ones ------------------------------------------------------------------------------- */

static void add_long(struct catalogue *c)
{
	char offer[6000];
	size_t n = 0;

	for (int i = 0; i < 100; i++)
		n += (size_t)sprintf(offer + n, "x-unknown-%d; a=%d, ", i, i);
	sprintf(offer + n, "%s", PMD);
	add_offer(c, "7692 7.1 offer behind 100 others is accepted", offer,
	    (struct fitting){ .answer = ACCEPTED });
	n = (size_t)sprintf(offer, "%s", PMD);
	for (int i = 0; i < 200; i++)
		n += (size_t)sprintf(offer + n, "; unknown%d=%d", i, i);
	add_offer(c, "7692 7.1 offer with 200 unknown parameters is declined", offer,
	    (struct fitting){ .answer = DECLINED });
	n = (size_t)sprintf(offer, "%s; server_max_window_bits=", PMD);
	memset(offer + n, '1', 4000);
	offer[n + 4000] = '\0';
	add_offer(c, "7692 7.1 offer with a value of 4000 digits is declined", offer,
	    (struct fitting){ .answer = DECLINED });
}

#define TABLE(offers) offers, sizeof(offers) / sizeof((offers)[0])

void add_negotiation_rules(struct catalogue *c)
{
	add_good(c);
	add_bad(c, "7692 7.1", TABLE(bad_offers), &declined, "is declined", play_echoes);
	add_bad(c, "7692 7.1", TABLE(bad_offers), &declined, "is declined, and RSV1 fails",
	    play_reserved_bit);
	add_bad(
	    c, "6455 9.1", TABLE(broken_offers), &declined_or_refused, "is no offer", play_echoes);
	add_good_windows(c);
	add_bad_windows(c);
	add_combinations(c);
	add_bad_answers(c);
	add_long(c);
}
