/*
 * net/mailbox.c - a Treiber stack with an eventfd beside it; see mailbox.h.
 *
 * Only whole-stack removal exists, so there is no ABA problem. The wake-up is
 * Dekker's pattern: a sender pushes, then looks at `asleep`; the receiver sets
 * `asleep`, then looks at the stack. Both are sequentially consistent, so at
 * least one of them sees the other, and no mail waits for a sleeper.
 */
#include "net/mailbox.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/loop.h"

int mailbox_init(struct mailbox *mb)
{
	atomic_init(&mb->head, NULL);
	atomic_init(&mb->asleep, false);
	mb->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return mb->eventfd < 0 ? -errno : 0;
}

void mailbox_fini(struct mailbox *mb)
{
	if (mb->eventfd >= 0)
		close(mb->eventfd);
	mb->eventfd = -1;
}

void mailbox_wake(struct mailbox *mb)
{
	const uint64_t one = 1;
	ssize_t ignored = write(mb->eventfd, &one, sizeof(one)); /* full means woken already */

	(void)ignored;
}

void mailbox_post(struct mailbox *mb, struct mail *m)
{
	struct mail *head = atomic_load_explicit(&mb->head, memory_order_relaxed);

	do {
		m->next = head;
	} while (!atomic_compare_exchange_weak(&mb->head, &head, m));
	if (atomic_load(&mb->asleep) && atomic_exchange(&mb->asleep, false))
		mailbox_wake(mb);
}

bool mailbox_may_sleep(struct mailbox *mb)
{
	atomic_store(&mb->asleep, true);
	return atomic_load(&mb->head) == NULL;
}

void mailbox_awake(struct mailbox *mb)
{
	atomic_store_explicit(&mb->asleep, false, memory_order_relaxed);
}

struct mail *mailbox_take(struct mailbox *mb)
{
	struct mail *m, *next, *oldest = NULL;

	if (!atomic_load_explicit(&mb->head, memory_order_relaxed))
		return NULL;
	for (m = atomic_exchange(&mb->head, NULL); m; m = next) {
		next = m->next;
		m->next = oldest;
		oldest = m;
	}
	return oldest;
}
