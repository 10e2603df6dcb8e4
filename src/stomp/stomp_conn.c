/*
 * stomp/stomp_conn.c - one STOMP client; see stomp_conn.h.
 */
#include "stomp/stomp_conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "stomp/stomp_heart_beat.h"
#include "stomp/stomp_list.h"

#define VERSIONS "1.0,1.1,1.2"

/* --- versions ------------------------------------------------------------ */

static const char *const version_names[] = { "", "1.0", "1.1", "1.2" };

const char *stomp_version_name(enum stomp_version version)
{
	return version_names[version];
}

static enum stomp_version version_of(struct bytes token)
{
	for (enum stomp_version v = STOMP_1_2; v > STOMP_UNDECIDED; v--)
		if (bytes_equal(token, bytes_of(version_names[v])))
			return v;
	return STOMP_UNDECIDED;
}

enum stomp_version stomp_version_best(struct bytes list)
{
	enum stomp_version best = STOMP_UNDECIDED;

	if (!list.p)
		return STOMP_1_0;
	while (list.n > 0) {
		enum stomp_version v = version_of(stomp_list_next(&list));

		if (v > best)
			best = v;
	}
	return best;
}

/* --- writing -------------------------------------------------------------- */

/* Writes what was composed, if there was memory for it. */
static int send_frame(struct stomp_conn *c, struct buf *out, int err)
{
	if (err == 0)
		c->settings->ops->write(c, buf_data(out), buf_len(out));
	buf_fini(out);
	return err;
}

static void end(struct stomp_conn *c, enum stomp_error why)
{
	c->state = STOMP_CONN_ENDED;
	c->settings->ops->end(c, why);
}

static int compose_error(struct stomp_conn *c, struct buf *out, enum stomp_error why,
    struct bytes receipt, const char *sentence)
{
	char code[16];
	int err = stomp_write_begin(out, STOMP_ERROR);

	snprintf(code, sizeof(code), "%u", stomp_error_code(why));
	if (err == 0)
		err = stomp_write_plain(out, "message", bytes_of(stomp_error_message(why)));
	if (err == 0)
		err = stomp_write_plain(out, "code", bytes_of(code));
	if (err == 0 && receipt.n > 0)
		err = stomp_write_header(
		    out, (enum stomp_version)c->version, BYTES("receipt-id"), receipt);
	if (err == 0 && why == STOMP_E_VERSION)
		err = stomp_write_plain(out, "version", BYTES(VERSIONS));
	if (err == 0)
		err = stomp_write_plain(out, "content-type", BYTES("text/plain"));
	return err ? err : stomp_write_end(out, bytes_of(sentence));
}

static void write_error(
    struct stomp_conn *c, enum stomp_error why, struct bytes receipt, const char *sentence)
{
	struct buf out = BUF_INIT;

	send_frame(c, &out,
	    compose_error(c, &out, why, receipt, sentence ? sentence : stomp_error_message(why)));
	if (c->settings->ops->error)
		c->settings->ops->error(c, why);
}

void stomp_conn_fail(
    struct stomp_conn *c, enum stomp_error why, struct bytes receipt, const char *sentence)
{
	if (c->state == STOMP_CONN_ENDED)
		return;
	write_error(c, why, receipt, sentence);
	end(c, why);
}

static void out_of_memory(struct stomp_conn *c)
{
	stomp_conn_fail(c, STOMP_E_INTERNAL, (struct bytes){ 0 }, "Out of memory.");
}

/* With another header, if `name` is not NULL. */
static int compose_receipt(struct stomp_conn *c, struct buf *out, struct bytes receipt,
    const struct stomp_header *more, size_t count)
{
	enum stomp_version version = (enum stomp_version)c->version;
	int err = stomp_write_begin(out, STOMP_RECEIPT);

	if (err == 0)
		err = stomp_write_header(out, version, BYTES("receipt-id"), receipt);
	for (size_t i = 0; i < count && err == 0; i++)
		err = stomp_write_header(out, version, more[i].name, more[i].value);
	return err ? err : stomp_write_end(out, (struct bytes){ 0 });
}

/* There may be one for each SEND: they are composed in memory that is there already. */
static void write_receipt(struct stomp_conn *c, struct stomp_frame *f, struct bytes receipt)
{
	struct buf *out = &f->answer;
	int err;

	buf_clear(out);
	err = compose_receipt(c, out, receipt, NULL, 0);
	if (err == 0)
		c->settings->ops->write(c, buf_data(out), buf_len(out));
	else
		out_of_memory(c);
}

/* --- CONNECT --------------------------------------------------------------- */

/* What its client can send, and wants to get. */
static bool read_heart_beat(struct stomp_conn *c, struct bytes value)
{
	struct stomp_heart_beat theirs = { c->receive_every_ms, c->send_every_ms };

	if (!stomp_heart_beat_read(value, &theirs))
		return false;
	c->receive_every_ms = theirs.sends_every_ms;
	c->send_every_ms = theirs.wants_every_ms;
	return true;
}

/* 1.0 has none: its clients ask for some, as libraries do for all versions, and send none. */
static bool has_heart_beats(const struct stomp_conn *c)
{
	return c->version >= STOMP_1_1;
}

static void agree_on_heart_beats(struct stomp_conn *c)
{
	const struct stomp_settings *s = c->settings;

	bool has = has_heart_beats(c);

	c->send_every_ms =
	    has ? stomp_heart_beat_agree(s->send_heart_beat_ms, c->send_every_ms) : 0;
	c->receive_every_ms =
	    has ? stomp_heart_beat_agree(s->receive_heart_beat_ms, c->receive_every_ms) : 0;
}

static void on_connect(struct stomp_conn *c, const struct stomp_frame *f)
{
	enum stomp_version version = stomp_version_best(stomp_header_get(f, "accept-version"));

	if (c->state != STOMP_CONN_NEW) {
		stomp_conn_fail(c, STOMP_E_ALREADY_CONNECTED, (struct bytes){ 0 },
		    "A second CONNECT on one connection.");
		return;
	}
	if (version == STOMP_UNDECIDED) {
		stomp_conn_fail(c, STOMP_E_VERSION, (struct bytes){ 0 },
		    "Supported protocol versions are " VERSIONS ".");
		return;
	}
	if (!read_heart_beat(c, stomp_header_get(f, "heart-beat"))) {
		stomp_conn_fail(c, STOMP_E_BAD_HEADER, (struct bytes){ 0 },
		    "heart-beat is two numbers of milliseconds, such as 10000,10000.");
		return;
	}
	c->version = (uint8_t)version;
	c->state = STOMP_CONN_DECIDING;
	c->settings->ops->connect(c, f);
}

static int compose_connected(
    struct stomp_conn *c, struct buf *out, struct bytes session, struct bytes user)
{
	const struct stomp_settings *s = c->settings;
	char beats[32];
	int err = stomp_write_begin(out, STOMP_CONNECTED);

	snprintf(beats, sizeof(beats), "%u,%u", has_heart_beats(c) ? s->send_heart_beat_ms : 0,
	    has_heart_beats(c) ? s->receive_heart_beat_ms : 0);
	if (err == 0)
		err = stomp_write_plain(
		    out, "version", bytes_of(stomp_version_name((enum stomp_version)c->version)));
	if (err == 0)
		err = stomp_write_plain(out, "heart-beat", bytes_of(beats));
	if (err == 0 && s->server)
		err = stomp_write_plain(out, "server", bytes_of(s->server));
	if (err == 0 && session.n > 0)
		err = stomp_write_header(out, STOMP_UNDECIDED, BYTES("session"), session);
	if (err == 0 && user.n > 0)
		err = stomp_write_header(out, STOMP_UNDECIDED, BYTES("user-name"), user);
	return err ? err : stomp_write_end(out, (struct bytes){ 0 });
}

void stomp_conn_accept(struct stomp_conn *c, struct bytes session, struct bytes user)
{
	struct buf out = BUF_INIT;

	if (c->state != STOMP_CONN_DECIDING)
		return;
	c->state = STOMP_CONN_OPEN;
	c->parser.version = c->version;
	agree_on_heart_beats(c);
	if (send_frame(c, &out, compose_connected(c, &out, session, user)) < 0)
		out_of_memory(c);
}

void stomp_conn_refuse(struct stomp_conn *c, enum stomp_error why, const char *sentence)
{
	if (c->state == STOMP_CONN_DECIDING)
		stomp_conn_fail(c, why, (struct bytes){ 0 }, sentence);
}

void stomp_conn_timeout(struct stomp_conn *c)
{
	enum stomp_progress progress = stomp_parser_progress(&c->parser);
	struct bytes none = { 0 };

	if (c->state != STOMP_CONN_NEW)
		return;
	if (progress == STOMP_IN_BODY)
		stomp_conn_fail(c, STOMP_E_MISSING_NUL, none,
		    "The NUL at the end of the frame never came. Some WebSockets drop it from text "
		    "messages (React Native: forceBinaryWSFrames and "
		    "appendMissingNULLonIncoming).");
	else if (progress == STOMP_IN_HEAD)
		stomp_conn_fail(c, STOMP_E_NOT_CONNECTED, none,
		    "The head of the CONNECT frame never ended: a blank line is missing.");
	else
		stomp_conn_fail(c, STOMP_E_NOT_CONNECTED, none, "No CONNECT frame came.");
}

/* --- the other frames -------------------------------------------------------- */

/* Which headers a frame must have, from which version on. A second name is what does as well. */
static const struct demand {
	enum stomp_command command;
	uint8_t first, last; /* versions */
	const char *name, *or_name;
} demands[] = {
	{ STOMP_SEND, STOMP_1_0, STOMP_1_2, "destination", NULL },
	{ STOMP_SUBSCRIBE, STOMP_1_0, STOMP_1_2, "destination", NULL },
	{ STOMP_SUBSCRIBE, STOMP_1_1, STOMP_1_2, "id", NULL },
	{ STOMP_UNSUBSCRIBE, STOMP_1_0, STOMP_1_0, "id", "destination" },
	{ STOMP_UNSUBSCRIBE, STOMP_1_1, STOMP_1_2, "id", NULL },
	{ STOMP_ACK, STOMP_1_0, STOMP_1_1, "message-id", NULL },
	{ STOMP_ACK, STOMP_1_1, STOMP_1_1, "subscription", NULL },
	{ STOMP_ACK, STOMP_1_2, STOMP_1_2, "id", NULL },
	{ STOMP_NACK, STOMP_1_1, STOMP_1_1, "message-id", NULL },
	{ STOMP_NACK, STOMP_1_1, STOMP_1_1, "subscription", NULL },
	{ STOMP_NACK, STOMP_1_2, STOMP_1_2, "id", NULL },
	{ STOMP_BEGIN, STOMP_1_0, STOMP_1_2, "transaction", NULL },
	{ STOMP_COMMIT, STOMP_1_0, STOMP_1_2, "transaction", NULL },
	{ STOMP_ABORT, STOMP_1_0, STOMP_1_2, "transaction", NULL },
};

static bool has(const struct stomp_frame *f, const char *name)
{
	return name && stomp_header_get(f, name).p;
}

/* The header that is missing, or NULL. */
static const char *missing_header(const struct stomp_conn *c, const struct stomp_frame *f)
{
	for (size_t i = 0; i < sizeof(demands) / sizeof(*demands); i++) {
		const struct demand *d = &demands[i];

		if (d->command == f->command && c->version >= d->first && c->version <= d->last &&
		    !has(f, d->name) && !has(f, d->or_name))
			return d->name;
	}
	return NULL;
}

static bool has_good_ack_mode(const struct stomp_conn *c, const struct stomp_frame *f)
{
	struct bytes mode = stomp_header_get(f, "ack");

	if (f->command != STOMP_SUBSCRIBE || !mode.p)
		return true;
	return bytes_equal(mode, BYTES("auto")) || bytes_equal(mode, BYTES("client")) ||
	       (c->version >= STOMP_1_1 && bytes_equal(mode, BYTES("client-individual")));
}

/* A frame is refused; the connection with it, unless its clients are to be kept. */
static void refuse(
    struct stomp_conn *c, enum stomp_error why, struct bytes receipt, const char *sentence)
{
	if (c->settings->keeps_on_error)
		write_error(c, why, receipt, sentence);
	else
		stomp_conn_fail(c, why, receipt, sentence);
}

static void refuse_frame(
    struct stomp_conn *c, const struct stomp_frame *f, enum stomp_error why, const char *sentence)
{
	refuse(c, why, stomp_header_get(f, "receipt"), sentence);
}

void stomp_conn_receipt(
    struct stomp_conn *c, struct bytes receipt, const struct stomp_header *more, size_t count)
{
	struct buf out = BUF_INIT;

	if (c->state == STOMP_CONN_OPEN &&
	    send_frame(c, &out, compose_receipt(c, &out, receipt, more, count)) < 0)
		out_of_memory(c);
}

void stomp_conn_settle(
    struct stomp_conn *c, enum stomp_error why, struct bytes receipt, const char *sentence)
{
	if (c->state != STOMP_CONN_OPEN)
		return;
	if (why != STOMP_OK)
		refuse(c, why, receipt, sentence);
	else if (receipt.p)
		stomp_conn_receipt(c, receipt, NULL, 0);
}

static bool is_of_its_version(const struct stomp_conn *c, enum stomp_command command)
{
	if (command == STOMP_NACK)
		return c->version >= STOMP_1_1;
	return command >= STOMP_SEND && command <= STOMP_DISCONNECT;
}

static void on_disconnect(struct stomp_conn *c, struct stomp_frame *f)
{
	struct bytes receipt = stomp_header_get(f, "receipt");

	if (receipt.p)
		write_receipt(c, f, receipt);
	if (c->state != STOMP_CONN_ENDED)
		end(c, STOMP_OK);
}

static void pass_on(struct stomp_conn *c, struct stomp_frame *f)
{
	const char *why = NULL;
	enum stomp_error err = c->settings->ops->frame(c, f, &why);
	struct bytes receipt = stomp_header_get(f, "receipt");

	if (c->state == STOMP_CONN_ENDED || err == STOMP_PENDING)
		return;
	if (err != STOMP_OK)
		refuse_frame(c, f, err, why);
	else if (receipt.p)
		write_receipt(c, f, receipt);
}

static void on_frame(struct stomp_conn *c, struct stomp_frame *f)
{
	const char *missing;
	char sentence[80];

	if (!is_of_its_version(c, f->command)) {
		snprintf(sentence, sizeof(sentence), "%s is not a frame of a client in STOMP %s.",
		    stomp_command_name(f->command),
		    stomp_version_name((enum stomp_version)c->version));
		stomp_conn_fail(
		    c, STOMP_E_UNKNOWN_COMMAND, stomp_header_get(f, "receipt"), sentence);
		return;
	}
	missing = missing_header(c, f);
	if (missing) {
		snprintf(sentence, sizeof(sentence), "%s needs the header %s.",
		    stomp_command_name(f->command), missing);
		refuse_frame(c, f, STOMP_E_MISSING_HEADER, sentence);
	} else if (!has_good_ack_mode(c, f)) {
		refuse_frame(c, f, STOMP_E_BAD_HEADER, "ack is auto, client or client-individual.");
	} else if (f->command == STOMP_DISCONNECT) {
		on_disconnect(c, f);
	} else {
		pass_on(c, f);
	}
}

static void take(struct stomp_conn *c, struct stomp_frame *f)
{
	if (f->command == STOMP_CONNECT || f->command == STOMP_STOMP)
		on_connect(c, f);
	else if (c->state == STOMP_CONN_NEW)
		stomp_conn_fail(c, STOMP_E_NOT_CONNECTED, stomp_header_get(f, "receipt"),
		    "The first frame must be CONNECT.");
	else
		on_frame(c, f);
}

/* --- feeding ------------------------------------------------------------------ */

static bool may_go_on(const struct stomp_conn *c)
{
	return c->state == STOMP_CONN_NEW || c->state == STOMP_CONN_OPEN;
}

/* Returns how many octets it took: fewer if a CONNECT waits for its decision, or it is others'
 * turn; all if nothing is looked at any more. */
static size_t run(struct stomp_conn *c, const char *p, size_t n, struct stomp_frame *f)
{
	const struct stomp_conn_ops *ops = c->settings->ops;
	size_t done = 0;

	while (done < n && may_go_on(c)) {
		ssize_t used = stomp_parse(&c->parser, p + done, n - done, f);

		if (used < 0) {
			stomp_conn_fail(c, f->error, f->receipt, f->why);
			break;
		}
		done += (size_t)used;
		if (f->command == STOMP_NONE)
			continue;
		take(c, f);
		if (ops->is_late && ops->is_late(c))
			break;
	}
	return c->state == STOMP_CONN_ENDED ? n : done;
}

static void drop_waiting(struct stomp_conn *c)
{
	if (c->waiting)
		buf_fini(c->waiting);
	mem_free(c->waiting);
	c->waiting = NULL;
}

static int keep(struct stomp_conn *c, const char *p, size_t n)
{
	if (n == 0)
		return 0;
	if (!c->waiting)
		c->waiting = mem_zalloc(sizeof(*c->waiting));
	if (c->waiting && buf_add(c->waiting, p, n) == 0)
		return 0;
	out_of_memory(c);
	return -ENOMEM;
}

int stomp_conn_feed(struct stomp_conn *c, const char *p, size_t n, struct stomp_frame *f)
{
	size_t used;

	if (c->state == STOMP_CONN_ENDED)
		return 0;
	if (c->waiting)
		return keep(c, p, n);
	used = run(c, p, n, f);
	return keep(c, p + used, n - used);
}

bool stomp_conn_is_behind(const struct stomp_conn *c)
{
	return may_go_on(c) && c->waiting;
}

void stomp_conn_go_on(struct stomp_conn *c, struct stomp_frame *f)
{
	if (!stomp_conn_is_behind(c))
		return;
	buf_consume(c->waiting, run(c, buf_data(c->waiting), buf_len(c->waiting), f));
	if (buf_len(c->waiting) == 0)
		drop_waiting(c);
}

size_t stomp_conn_held(const struct stomp_conn *c)
{
	return stomp_parser_held(&c->parser) + (c->waiting ? buf_len(c->waiting) : 0);
}

/* --- heart-beats ---------------------------------------------------------------- */

uint32_t stomp_conn_beat(struct stomp_conn *c, uint64_t heard_ago, uint64_t said_ago)
{
	uint64_t patience = (uint64_t)c->receive_every_ms * STOMP_HEART_BEAT_TOLERANCE;
	uint32_t next = 0, interval;

	if (c->state != STOMP_CONN_OPEN)
		return 0;
	if (c->receive_every_ms && heard_ago >= patience) {
		stomp_conn_fail(c, STOMP_E_NO_HEART_BEAT, (struct bytes){ 0 },
		    "Nothing came for three times as long as the heart-beat that was agreed on.");
		return 0;
	}
	if (c->receive_every_ms)
		next = stomp_heart_beat_sooner(next, patience - heard_ago);
	if (!c->send_every_ms)
		return next;
	interval = stomp_heart_beat_interval(c->send_every_ms);
	if (said_ago >= interval) {
		c->settings->ops->write(c, "\n", 1);
		said_ago = 0;
	}
	return stomp_heart_beat_sooner(next, interval - said_ago);
}

/* --- life --------------------------------------------------------------------------- */

void stomp_conn_init(struct stomp_conn *c, const struct stomp_settings *settings)
{
	c->settings = settings;
	stomp_parser_init(&c->parser, &settings->limits);
}

void stomp_conn_fini(struct stomp_conn *c)
{
	stomp_parser_fini(&c->parser);
	drop_waiting(c);
}
