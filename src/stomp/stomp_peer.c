/*
 * stomp/stomp_peer.c - a STOMP client of ours; see stomp_peer.h.
 */
#include "stomp/stomp_peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "stomp/stomp_conn.h"
#include "stomp/stomp_heart_beat.h"

#define VERSIONS "1.0,1.1,1.2"
#define WHY_MAX  400

static void peer_fail(struct stomp_peer *p, const char *why)
{
	if (p->state == STOMP_PEER_ENDED)
		return;
	p->state = STOMP_PEER_ENDED;
	p->ops->failed(p, why);
}

/* --- CONNECT ------------------------------------------------------------------ */

static int write_credential(
    struct buf *out, const struct stomp_login *l, const char *name, const char *value)
{
	/* In 1.1 a colon is escaped, too, which in a value does no harm to who unescapes */
	enum stomp_version version = l->is_unescaped ? STOMP_1_1 : STOMP_UNDECIDED;

	if (!value)
		return 0;
	return stomp_write_header(out, version, bytes_of(name), bytes_of(value));
}

static struct bytes offer_of(const struct stomp_login *l)
{
	return l->version == STOMP_UNDECIDED ? BYTES(VERSIONS) : bytes_of(stomp_version_name(l->version));
}

static int compose_connect(struct buf *out, const struct stomp_login *l)
{
	char beats[32];
	int err = stomp_write_begin(out, STOMP_CONNECT);

	snprintf(beats, sizeof(beats), "%u,%u", l->send_heart_beat_ms, l->receive_heart_beat_ms);
	if (err == 0)
		err = stomp_write_plain(out, "accept-version", offer_of(l));
	if (err == 0)
		err = stomp_write_plain(out, "heart-beat", bytes_of(beats));
	if (err == 0)
		err = write_credential(out, l, "host", l->host);
	if (err == 0)
		err = write_credential(out, l, "login", l->login);
	if (err == 0)
		err = write_credential(out, l, "passcode", l->passcode);
	if (err == 0)
		err = write_credential(out, l, "client-id", l->client_id);
	return err ? err : stomp_write_end(out, (struct bytes){ 0 });
}

static size_t connect_size(const struct stomp_login *l)
{
	const char *const texts[] = { l->host, l->login, l->passcode, l->client_id };
	size_t n = 256;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		n += texts[i] ? 2 * strlen(texts[i]) + 16 : 0;
	return n;
}

/* The octets have a secret in them. */
int stomp_peer_connect(struct stomp_peer *p, const struct stomp_login *l)
{
	struct buf out = BUF_INIT;
	/* At once: what moves leaves its octets where it was */
	int err = buf_reserve(&out, connect_size(l)) ? compose_connect(&out, l) : -ENOMEM;

	p->send_every_ms = l->send_heart_beat_ms;
	p->receive_every_ms = l->receive_heart_beat_ms;
	if (err == 0) {
		p->state = STOMP_PEER_CONNECTING;
		p->ops->write(p, buf_data(&out), buf_len(&out));
	}
	if (buf_len(&out))
		explicit_bzero(buf_data(&out), buf_len(&out));
	buf_fini(&out);
	return err;
}

/* --- CONNECTED ------------------------------------------------------------------ */

static enum stomp_version version_of(const struct stomp_frame *f)
{
	static const char *const names[] = { "1.0", "1.1", "1.2" };
	struct bytes said = stomp_header_get(f, "version");

	if (!said.p)
		return STOMP_1_0; /* which did not have the header */
	for (int i = 0; i < 3; i++)
		if (bytes_equal(said, bytes_of(names[i])))
			return (enum stomp_version)(STOMP_1_0 + i);
	return STOMP_UNDECIDED;
}

static bool agree_on_heart_beats(struct stomp_peer *p, const struct stomp_frame *f)
{
	struct stomp_heart_beat theirs = { 0, 0 };

	if (!stomp_heart_beat_read(stomp_header_get(f, "heart-beat"), &theirs))
		return false;
	if (p->version == STOMP_1_0)
		theirs = (struct stomp_heart_beat){ 0, 0 };
	p->send_every_ms = stomp_heart_beat_agree(p->send_every_ms, theirs.wants_every_ms);
	p->receive_every_ms = stomp_heart_beat_agree(p->receive_every_ms, theirs.sends_every_ms);
	return true;
}

static void on_connected(struct stomp_peer *p, const struct stomp_frame *f)
{
	p->version = (uint8_t)version_of(f);
	if (p->version == STOMP_UNDECIDED) {
		peer_fail(p, "CONNECTED has a version that was not offered");
	} else if (!agree_on_heart_beats(p, f)) {
		peer_fail(p, "CONNECTED has a heart-beat that is none");
	} else {
		p->parser.version = p->version;
		p->state = STOMP_PEER_OPEN;
		p->ops->connected(p, f);
	}
}

/* --- frames ------------------------------------------------------------------------ */

/* A line of text for a log, whatever stands there. */
static void put_text(char *to, size_t size, struct bytes from)
{
	size_t n = from.n < size - 1 ? from.n : size - 1;

	for (size_t i = 0; i < n; i++)
		to[i] = from.p[i] >= ' ' && from.p[i] <= '~' ? from.p[i] : ' ';
	to[n] = '\0';
}

static void refused(struct stomp_peer *p, const struct stomp_frame *f)
{
	char message[120], body[200], why[WHY_MAX];

	put_text(message, sizeof(message), stomp_header_get(f, "message"));
	put_text(body, sizeof(body), f->body);
	snprintf(why, sizeof(why), "CONNECT was refused: %s: %s", message, body);
	peer_fail(p, why);
}

static void take(struct stomp_peer *p, const struct stomp_frame *f)
{
	bool is_connecting = p->state == STOMP_PEER_CONNECTING;

	if (f->command == STOMP_CONNECTED && is_connecting)
		on_connected(p, f);
	else if (f->command == STOMP_ERROR && is_connecting)
		refused(p, f);
	else if (f->command < STOMP_MESSAGE || is_connecting)
		peer_fail(p, "a frame came that is not to be expected");
	else
		p->ops->frame(p, f);
}

static void fail_for(struct stomp_peer *p, const struct stomp_frame *f)
{
	char why[WHY_MAX];

	snprintf(why, sizeof(why), "what came is no STOMP: %s",
	    f->why ? f->why : stomp_error_message(f->error));
	peer_fail(p, why);
}

size_t stomp_peer_feed(struct stomp_peer *p, const char *octets, size_t n, struct stomp_frame *f)
{
	size_t done = 0;

	while (done < n && p->state != STOMP_PEER_ENDED) {
		ssize_t used = stomp_parse(&p->parser, octets + done, n - done, f);

		if (used < 0) {
			fail_for(p, f);
			break;
		}
		done += (size_t)used;
		if (f->command == STOMP_NONE)
			continue;
		take(p, f);
		if (p->ops->is_late && p->ops->is_late(p))
			break;
	}
	return p->state == STOMP_PEER_ENDED ? n : done;
}

/* --- heart-beats ---------------------------------------------------------------------- */

uint32_t stomp_peer_beat(struct stomp_peer *p, uint64_t heard_ago, uint64_t said_ago)
{
	uint64_t patience = (uint64_t)p->receive_every_ms * STOMP_PEER_TOLERANCE;
	uint32_t next = 0, interval;

	if (p->state != STOMP_PEER_OPEN)
		return 0;
	if (patience && heard_ago >= patience) {
		peer_fail(p, "nothing came for twice as long as the heart-beat that was agreed on");
		return 0;
	}
	if (patience)
		next = stomp_heart_beat_sooner(next, patience - heard_ago);
	if (!p->send_every_ms)
		return next;
	interval = stomp_heart_beat_interval(p->send_every_ms);
	if (said_ago >= interval) {
		p->ops->write(p, "\n", 1);
		said_ago = 0;
	}
	return stomp_heart_beat_sooner(next, interval - said_ago);
}

/* --- life --------------------------------------------------------------------------------- */

void stomp_peer_init(
    struct stomp_peer *p, const struct stomp_peer_ops *ops, const struct stomp_limits *limits)
{
	*p = (struct stomp_peer){ .ops = ops };
	stomp_parser_init(&p->parser, limits);
	p->parser.lenient = true;
}

void stomp_peer_end(struct stomp_peer *p)
{
	p->state = STOMP_PEER_ENDED;
}

void stomp_peer_fini(struct stomp_peer *p)
{
	p->state = STOMP_PEER_ENDED;
	stomp_parser_fini(&p->parser);
}
