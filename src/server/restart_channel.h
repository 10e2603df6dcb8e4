/*
 * server/restart_channel.h - what two processes say to each other while one goes on with what the other has: messages
 * over a pair of unix sockets that keep their bounds (SOCK_SEQPACKET), with descriptors.
 *
 *	old					new
 *	PLACE (address, listening sockets) ...
 *	PLACES_END (version)	----->
 *				<-----	READY	it has read its configuration, and waits
 *	(all stand still)
 *	REACTOR (octets), FDS ...
 *	STATE_END		----->
 *				<-----	TAKEN, or FAILED (why)
 *	GO, or ABORT		----->		from GO on all is the new one's
 *
 * Whoever has no more to say than the end of the other, before READY or TAKEN, goes on without him. The old one's end
 * in place of GO is as good as that: there is nobody else any more.
 */
#ifndef SERVER_RESTART_CHANNEL_H
#define SERVER_RESTART_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

enum restart_kind {
	RESTART_PLACE = 1,
	RESTART_PLACES_END,
	RESTART_READY,
	RESTART_REACTOR,
	RESTART_FDS,
	RESTART_STATE_END,
	RESTART_TAKEN,
	RESTART_FAILED,
	RESTART_GO,
	RESTART_ABORT,
	RESTART_KINDS
};

#define RESTART_TEXT 400
#define RESTART_FDS_MOST 200 /* in one message; the kernel's limit is 253 */

struct restart_message {
	enum restart_kind kind;
	uint32_t number; /* of a socket at its place; of a reactor, of how many; of sessions */
	uint64_t size;   /* octets of its state */
	char text[RESTART_TEXT];
	unsigned fd_count;
	int fds[RESTART_FDS_MOST]; /* received ones are the caller's */
};

/* A message without descriptors. */
void restart_message_init(struct restart_message *m, enum restart_kind kind);
/* Waits until the other has room, for `timeout_ms` at most. 0 or -errno. */
int restart_send(int fd, const struct restart_message *m, int timeout_ms);
/* Likewise, until something comes. -EPIPE: the other has ended; -ETIMEDOUT; -EPROTO: that is no such message; no
 * descriptors are left then. */
int restart_receive(int fd, struct restart_message *m, int timeout_ms);
/* Descriptors that nobody has wanted. */
void restart_message_close(struct restart_message *m);

#endif
