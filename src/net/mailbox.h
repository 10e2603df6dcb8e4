/*
 * net/mailbox.h - messages from many threads to one reactor.
 *
 * A lock-free stack of mail that the receiver takes whole and turns round, so
 * that each sender's mail arrives in the order it was posted. The eventfd is
 * written only while the receiver sleeps or is about to: a busy reactor gets
 * its mail without a system call on either side.
 *
 * Private to net/: others call loop_post().
 */
#ifndef NET_MAILBOX_H
#define NET_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

struct mail;

struct mailbox {
	_Atomic(struct mail *) head; /* latest first */
	atomic_bool asleep;          /* the receiver wants to be woken by the eventfd */
	int eventfd;                 /* to be watched edge-triggered: nobody reads it */
};

int mailbox_init(struct mailbox *mb);
void mailbox_fini(struct mailbox *mb);

/* Any thread. */
void mailbox_post(struct mailbox *mb, struct mail *m);
/* Any thread or a signal handler: makes the receiver's wait end, mail or no mail. */
void mailbox_wake(struct mailbox *mb);

/* The receiver's thread from here on. To be called before a wait; false when there is mail, so that
 * the wait must not block. mailbox_awake() after it. */
bool mailbox_may_sleep(struct mailbox *mb);
void mailbox_awake(struct mailbox *mb);
/* All mail, oldest first, linked by `next`; NULL when there is none. */
struct mail *mailbox_take(struct mailbox *mb);

#endif
