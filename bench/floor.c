/* The floor of echo: what the kernel alone costs. One raw socket, a BPF filter on our identifier, each target once a second in
 * slots of 5 ms, sendmmsg and recvmmsg, nothing kept but counters. Reads addresses on standard input, one a line.
 * usage: floor SECONDS < addresses; prints "sent received" */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 100000
#define BATCH 64
#define SLOTS 200 /* of a second */
#define BYTES 64

static struct sockaddr_in target[MOST];
static unsigned char packets[BATCH][BYTES], replies[BATCH][256];
static struct mmsghdr out[BATCH], in[BATCH];
static struct iovec out_vector[BATCH], in_vector[BATCH];
static long sent, received;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static unsigned short checksum(const void *data, int bytes) { /* RFC 1071 */
  const unsigned short *word = data;
  unsigned long sum = 0;
  for (; bytes > 1; bytes -= 2) sum += *word++;
  sum = (sum >> 16) + (sum & 0xffff);
  return ~(sum + (sum >> 16));
}

static void receive(int fd) {
  int got;
  while ((got = recvmmsg(fd, in, BATCH, MSG_DONTWAIT, NULL)) > 0) received += got;
}

static void send_slot(int fd, long from, long to, unsigned short identifier, unsigned short sequence) {
  while (from < to) {
    int count = 0;
    for (; count < BATCH && from < to; count++, from++) {
      struct icmphdr *head = (struct icmphdr *)packets[count];
      memset(head, 0, sizeof *head);
      head->type = ICMP_ECHO;
      head->un.echo.id = htons(identifier);
      head->un.echo.sequence = htons(sequence);
      memcpy(packets[count] + sizeof *head, &from, sizeof from);
      head->checksum = checksum(packets[count], BYTES);
      out[count].msg_hdr.msg_name = &target[from];
      out[count].msg_hdr.msg_namelen = sizeof target[from];
    }
    int done = sendmmsg(fd, out, count, 0);
    if (done > 0) sent += done;
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  int seconds = atoi(argv[1]);
  char line[64];
  long targets = 0;
  while (targets < MOST && fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    target[targets].sin_family = AF_INET;
    if (inet_pton(AF_INET, line, &target[targets].sin_addr) == 1) targets++;
  }
  unsigned short identifier = getpid() & 0xffff;
  int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), buffer = 4 << 20;
  if (fd < 0) return perror("socket"), 1;
  struct sock_filter code[] = { /* echo reply with our identifier, behind an IP header of any length */
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ECHOREPLY, 0, 3), BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, identifier, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0xffff), BPF_STMT(BPF_RET | BPF_K, 0)};
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  for (int i = 0; i < BATCH; i++) {
    out_vector[i] = (struct iovec){packets[i], BYTES};
    in_vector[i] = (struct iovec){replies[i], sizeof replies[i]};
    out[i].msg_hdr.msg_iov = &out_vector[i];
    in[i].msg_hdr.msg_iov = &in_vector[i];
    out[i].msg_hdr.msg_iovlen = in[i].msg_hdr.msg_iovlen = 1;
  }
  double began = now();
  for (long slot = 0; slot < (long)seconds * SLOTS; slot++) {
    long part = slot % SLOTS;
    send_slot(fd, part * targets / SLOTS, (part + 1) * targets / SLOTS, identifier, slot / SLOTS);
    struct pollfd waiting = {fd, POLLIN, 0};
    double due = began + (slot + 1.0) / SLOTS;
    receive(fd);
    for (double left; (left = due - now()) > 0; receive(fd)) {
      struct timespec pause = {0, left * 1e9};
      if (ppoll(&waiting, 1, &pause, NULL) <= 0) break;
    }
  }
  for (double end = now() + 1; received < sent && now() < end; receive(fd)) usleep(1000);
  printf("%ld %ld\n", sent, received);
  return 0;
}
