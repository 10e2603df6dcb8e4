/*
 * tests/handover/subscribers.c - clients of STOMP, each of which subscribes to a topic of its own, to one that ten
 * of them share, and to a queue of its own, and sends to each of these.
 *
 * What they send has numbers, and by its number it goes to one of the three; now and then in a transaction, which
 * is committed a moment later. Each is to come once to each subscriber, in order, and its receipt to who has
 * sent it. Messages of the queue are acknowledged a moment later, and so none may come again.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handover/later.h"
#include "handover/population.h"
#include "handover/pulse.h"
#include "handover/text.h"
#include "storm/link.h"

enum { GROUP = 10, WINDOW = 4, KINDS = 3, SUBSCRIPTIONS = 3, SOURCES = 64, RECEIPTS = 64, IN_TRANSACTION = 4 };
enum kind { KIND_OWN, KIND_SHARED, KIND_QUEUE };

struct subscriber {
	struct link *l;
	unsigned k;
	unsigned due, sent;
	unsigned next[KINDS];    /* of its own messages, as they come back: which it is of this kind */
	unsigned shared[GROUP];  /* likewise of what others of the group have sent */
	uint64_t receipts;       /* which are due, of the last RECEIPTS messages */
	unsigned measured_from;
	int64_t due_at[WINDOW];
	unsigned acks_due, subscribed;
	unsigned transaction;    /* the message that waits for its commit */
	bool has_transaction, is_in, is_over, is_leaving, has_left;
};

static const struct channel_target *target;
static const enum wire *wires;
static unsigned wire_count, count;
static struct subscriber *all;

static void go_on(struct subscriber *s);

static void populate(
    const struct channel_target *at, unsigned n, const enum wire *of, unsigned of_count)
{
	target = at;
	wires = of;
	wire_count = of_count;
	count = n;
	all = must_have(calloc(n, sizeof(*all)));
}

/* --- which message goes where ------------------------------------------------------------------- */

static enum kind kind_of(unsigned no)
{
	return (enum kind)(no % KINDS);
}

/* The number of the i-th of a kind. */
static unsigned number_of(enum kind kind, unsigned i)
{
	return i * KINDS + (unsigned)kind;
}

static void destination_of(const struct subscriber *s, enum kind kind, char out[64])
{
	if (kind == KIND_SHARED)
		sprintf(out, "/topic/shared/%u", s->k / GROUP);
	else
		sprintf(out, "%s/%u", kind == KIND_OWN ? "/topic/own" : "/queue/own", s->k);
}

static bool has_come_back(const struct subscriber *s, unsigned no)
{
	return no / KINDS < s->next[kind_of(no)];
}

static bool is_answered(const struct subscriber *s, unsigned no)
{
	return has_come_back(s, no) && !(s->receipts >> no % RECEIPTS & 1);
}

/* So that no more than so many are unanswered. */
static bool may_follow(const struct subscriber *s, unsigned no)
{
	return no < WINDOW || is_answered(s, no - WINDOW);
}

/* --- what is said ----------------------------------------------------------------------------- */

static void say_frame(struct subscriber *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say_frame(struct subscriber *s, const char *format, ...)
{
	static char text[TEXT_MAX + 512];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	link_send(s->l, text, (size_t)n + 1); /* with its NUL */
}

static void release(void *of, const char *nothing)
{
	struct subscriber *s = of;

	(void)nothing;
	s->l->channel->cut = 0;
	s->measured_from = s->sent;
	channel_release(s->l->channel);
}

static void commit(void *of, const char *nothing)
{
	struct subscriber *s = of;

	(void)nothing;
	s->has_transaction = false;
	s->measured_from = s->sent;
	say_frame(s, "COMMIT\ntransaction:t%u\n\n", s->transaction);
	go_on(s);
}

static void send_message(struct subscriber *s, unsigned no)
{
	bool in_transaction = kind_of(no) == KIND_SHARED && no / KINDS % IN_TRANSACTION == 0;
	char body[TEXT_MAX], destination[64], transaction[64] = "";

	body[text_write(body, s->k, no)] = '\0';
	destination_of(s, kind_of(no), destination);
	s->receipts |= (uint64_t)1 << no % RECEIPTS;
	if (in_transaction) {
		sprintf(transaction, "transaction:t%u\n", no);
		say_frame(s, "BEGIN\n%s\n", transaction);
		s->transaction = no;
		s->has_transaction = true;
		later(commit, s, "");
	}
	say_frame(s, "SEND\ndestination:%s\n%sreceipt:%u\n\n%s", destination, transaction, no, body);
}

static void go_on(struct subscriber *s)
{
	while (!s->is_over && !s->has_transaction && s->sent < s->due && may_follow(s, s->sent)) {
		maybe_cut(s->l->channel, release, s);
		s->sent++;
		send_message(s, s->sent - 1);
	}
}

static void say(unsigned k, int64_t due)
{
	struct subscriber *s = &all[k];

	if (s->is_over || s->due - s->sent >= WINDOW || !may_follow(s, s->due))
		return;
	s->due_at[s->due % WINDOW] = due;
	s->due++;
	go_on(s);
}

static void acknowledge(void *of, const char *id)
{
	struct subscriber *s = of;

	s->acks_due--;
	say_frame(s, "ACK\nid:%s\n\n", id);
}

/* --- what comes ------------------------------------------------------------------------------ */

static void judge(struct subscriber *s, unsigned *i, enum kind kind, unsigned by, const struct stomp_text *f)
{
	unsigned expected = number_of(kind, *i),
	         next = findings_message(s->k, s->l->channel, f->body, f->body_len, by, expected);

	if (next > expected)
		*i += (next - expected + KINDS - 1) / KINDS;
}

static void got_own(struct subscriber *s, enum kind kind, const struct stomp_text *f)
{
	unsigned no = number_of(kind, s->next[kind]);
	bool is_measured = no >= s->measured_from && !s->has_transaction && !s->l->channel->is_cut &&
	    s->l->channel->cut == 0 && no < s->sent;

	pulse_heard(is_measured ? s->due_at[no % WINDOW] : 0);
	judge(s, &s->next[kind], kind, s->k, f);
	go_on(s);
}

static void got_shared(struct subscriber *s, const struct stomp_text *f)
{
	unsigned by, no;

	if (!text_read(f->body, f->body_len, &by, &no) || by / GROUP != s->k / GROUP) {
		findings.misplaced++;
		complain(s->k, s->l->channel, "a message of another group: %.*s",
		    f->body_len < 60 ? (int)f->body_len : 60, f->body);
	} else if (by == s->k) {
		got_own(s, KIND_SHARED, f);
	} else {
		judge(s, &s->shared[by % GROUP], KIND_SHARED, by, f);
	}
}

static void got_queued(struct subscriber *s, const struct stomp_text *f)
{
	char id[LATER_TEXT];
	size_t n, ack_n;
	const char *ack = stomp_text_header(f, "ack", &ack_n);

	if (stomp_text_header(f, "redelivered", &n) && n > 0) {
		findings.twice++;
		complain(s->k, s->l->channel, "a message of the queue comes again");
		return;
	}
	snprintf(id, sizeof(id), "%.*s", (int)ack_n, ack ? ack : "");
	s->acks_due++;
	later(acknowledge, s, id);
	got_own(s, KIND_QUEUE, f);
}

static void got_message(struct subscriber *s, const struct stomp_text *f)
{
	size_t n;
	const char *id = stomp_text_header(f, "subscription", &n);

	if (n == 1 && *id == '0' + KIND_OWN)
		got_own(s, KIND_OWN, f);
	else if (n == 1 && *id == '0' + KIND_SHARED)
		got_shared(s, f);
	else if (n == 1 && *id == '0' + KIND_QUEUE)
		got_queued(s, f);
	else
		findings.misplaced++;
}

static void got_in(struct subscriber *s)
{
	if (++s->subscribed < SUBSCRIPTIONS)
		return;
	s->is_in = true;
	findings.in++;
}

static void got_receipt(struct subscriber *s, const struct stomp_text *f)
{
	size_t n;
	const char *id = stomp_text_header(f, "receipt-id", &n);
	unsigned no = n > 0 ? (unsigned)strtoul(id, NULL, 10) : 0;

	if (n == 2 && memcmp(id, "in", 2) == 0) {
		got_in(s);
	} else if (n == 3 && memcmp(id, "bye", 3) == 0) {
		s->has_left = true;
	} else if (n > 0 && no < s->sent && s->sent - no <= RECEIPTS && (s->receipts >> no % RECEIPTS & 1)) {
		s->receipts &= ~((uint64_t)1 << no % RECEIPTS);
		go_on(s);
	} else {
		findings.twice++;
		complain(s->k, s->l->channel, "a receipt for nothing: %.*s", (int)n, id ? id : "");
	}
}

static void on_frame(struct link *l, const struct stomp_text *f)
{
	struct subscriber *s = l->owner;

	if (stomp_text_is(f, "MESSAGE")) {
		got_message(s, f);
	} else if (stomp_text_is(f, "RECEIPT")) {
		got_receipt(s, f);
	} else if (!stomp_text_is(f, "CONNECTED")) {
		findings.broken++;
		complain(s->k, l->channel, "%.*s%.*s", (int)f->head, f->command, (int)f->body_len, f->body);
	}
}

static void on_ended(struct link *l, unsigned code, const char *why)
{
	struct subscriber *s = l->owner;

	s->is_over = true;
	if (s->has_left) {
		findings.left++;
		return;
	}
	findings.ended++;
	complain(s->k, l->channel, "ended: %u %s; %u messages sent", code, why, s->sent);
}

static void on_lost(struct link *l)
{
	struct subscriber *s = l->owner;

	if (s->is_leaving)
		return;
	findings.cut_off++;
	complain(s->k, l->channel, "a connection has ended, though nothing was under way");
}

static const struct link_events events = { on_frame, on_ended, on_lost };

/* --- coming and going --------------------------------------------------------------------------- */

static void begin(unsigned k)
{
	static const char *const modes[KINDS] = { "auto", "auto", "client-individual" };
	struct subscriber *s = &all[k];
	char destination[64];

	s->k = k;
	s->l = link_new(target, wires[k % wire_count], k % SOURCES, &events, s);
	say_frame(s, "CONNECT\naccept-version:1.2\nhost:handover\n\n");
	for (unsigned kind = 0; kind < KINDS; kind++) {
		destination_of(s, (enum kind)kind, destination);
		say_frame(s, "SUBSCRIBE\nid:%u\ndestination:%s\nack:%s\nreceipt:in\n\n", kind, destination,
		    modes[kind]);
	}
}

static void turn(int64_t now)
{
	(void)now;
}

static unsigned sent_of_kind(const struct subscriber *s, enum kind kind)
{
	return s->sent / KINDS + (s->sent % KINDS > (unsigned)kind);
}

/* Who has ended is of no account any more, and has been counted. */
static bool has_all(const struct subscriber *s)
{
	const struct subscriber *first = &all[s->k / GROUP * GROUP];

	for (unsigned kind = 0; kind < KINDS; kind++)
		if (s->next[kind] < sent_of_kind(s, (enum kind)kind))
			return false;
	for (unsigned i = 0; i < GROUP && first + i < all + count; i++)
		if (first + i != s && s->shared[i] < sent_of_kind(&first[i], KIND_SHARED))
			return false;
	return s->receipts == 0 && s->sent == s->due;
}

static bool is_quiet(unsigned k)
{
	const struct subscriber *s = &all[k];

	return s->is_over ||
	    (s->is_in && s->acks_due == 0 && has_all(s) && channel_is_quiet(s->l->channel));
}

static void describe(unsigned k, char *out, size_t size)
{
	const struct subscriber *s = &all[k];

	snprintf(out, size,
	    "%u messages were due, %u are sent; back are %u of its own topic, %u of the shared one, %u of the "
	    "queue; receipts %llx%s%s%s",
	    s->due, s->sent, s->next[KIND_OWN], s->next[KIND_SHARED], s->next[KIND_QUEUE],
	    (unsigned long long)s->receipts, s->has_transaction ? ", a transaction is open" : "",
	    s->l->channel->is_sending ? ", a send has no answer" : "", s->is_in ? "" : ", it is not in");
}

static const struct channel *channel(unsigned k)
{
	return all[k].l->channel;
}

static void leave(unsigned k)
{
	struct subscriber *s = &all[k];

	if (s->is_over)
		return;
	s->is_leaving = true;
	say_frame(s, "DISCONNECT\nreceipt:bye\n\n");
}

static void discard(void)
{
	for (unsigned k = 0; k < count; k++)
		if (all[k].l)
			link_free(all[k].l);
	free(all);
}

const struct population subscribers = { populate, begin, say, turn, is_quiet, describe, channel, leave, discard,
	true };
