/*
 * fakes/fake_ring.c - a ring that sends by send(); see fake_ring.h.
 */
#include "fakes/fake_ring.h"

#include <check.h>
#include <errno.h>
#include <sys/socket.h>

struct fake_ring fake_ring;

struct send_ring {
	unsigned most;
};

static struct send_ring the_ring;

void fake_ring_reset(void)
{
	fake_ring = (struct fake_ring){ .odd = -1, .break_at = -1 };
}

int send_ring_new(struct send_ring **out, unsigned most)
{
	if (fake_ring.refuse_new)
		return fake_ring.refuse_new;
	ck_assert(!fake_ring.exists);
	fake_ring.exists = true;
	the_ring.most = most;
	*out = &the_ring;
	return 0;
}

void send_ring_free(struct send_ring *ring)
{
	if (!ring)
		return;
	ck_assert(fake_ring.exists);
	fake_ring.exists = false;
}

static ssize_t send_one(const struct send_op *op)
{
	size_t n = op->n;
	ssize_t sent;

	if (op->fd == fake_ring.odd) {
		if (fake_ring.odd_result < 0)
			return fake_ring.odd_result;
		n = (size_t)fake_ring.odd_result;
	}
	sent = send(op->fd, op->p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}

int send_ring_send(struct send_ring *ring, struct send_op *ops, unsigned n)
{
	ck_assert(fake_ring.exists);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_le(n, ring->most);
	fake_ring.calls++;
	fake_ring.last = n;
	for (unsigned i = 0; i < n; i++) {
		if ((int)i == fake_ring.break_at) {
			for (; i < n; i++)
				ops[i].result = SEND_NOT_TRIED;
			return fake_ring.break_error;
		}
		ops[i].result = send_one(&ops[i]);
	}
	return 0;
}
