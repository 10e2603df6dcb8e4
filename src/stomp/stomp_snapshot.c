/*
 * stomp/stomp_snapshot.c - a STOMP client's connection, for another process; see stomp_conn.h.
 *
 * Of a frame that is not whole the octets go along, in front of what was not looked at yet: there they are looked at
 * anew, by the limits that hold there.
 */
#include <errno.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "stomp/stomp_conn.h"

static void wait_for_look(struct stomp_conn *c, struct snapshot *s, struct bytes octets)
{
	if (!snapshot_reads(s) || octets.n == 0)
		return;
	if (!c->waiting)
		c->waiting = mem_zalloc(sizeof(*c->waiting));
	if (!c->waiting || buf_add(c->waiting, octets.p, octets.n) < 0)
		snapshot_fail(s, -ENOMEM);
}

static void octets_snapshot(struct stomp_conn *c, struct snapshot *s)
{
	struct bytes waiting = { NULL, 0 };

	if (!s->is_reading && c->waiting)
		waiting = (struct bytes){ buf_data(c->waiting), buf_len(c->waiting) };
	SNAPSHOT(s, bool, c->parser.after_cr);
	wait_for_look(c, s, snapshot_bytes(s, stomp_parser_partial(&c->parser)));
	wait_for_look(c, s, snapshot_bytes(s, waiting));
}

void stomp_conn_snapshot(struct stomp_conn *c, struct snapshot *s)
{
	if (!snapshot_enter(s, "STMP", 1))
		return;
	c->state = (uint8_t)snapshot_below(s, c->state, STOMP_CONN_ENDED + 1);
	c->version = (uint8_t)snapshot_below(s, c->version, STOMP_1_2 + 1);
	c->parser.version = (uint8_t)snapshot_below(s, c->parser.version, STOMP_1_2 + 1);
	SNAPSHOT(s, u32, c->send_every_ms);
	SNAPSHOT(s, u32, c->receive_every_ms);
	snapshot_check(s, c->state != STOMP_CONN_OPEN || c->version != STOMP_UNDECIDED);
	octets_snapshot(c, s);
	snapshot_leave(s);
}
