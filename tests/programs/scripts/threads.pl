#!/usr/bin/perl
# SPDX-License-Identifier: MIT OR Apache-2.0
# Threads that hand numbers on through queues and count under a lock; prints what came out.
use strict;
use warnings;
use threads;
use threads::shared;
use Thread::Queue;
use Thread::Semaphore;

my ($rounds) = @ARGV;
my $workers = 4;

# A short queue, so that those who put wait as well as those who take.
my $work = Thread::Queue->new();
$work->limit = 16;
my $results = Thread::Queue->new();
my $counter : shared = 0;
my $turn : shared = 0;
my $few = Thread::Semaphore->new(2);
my $inside : shared = 0;
my $most : shared = 0;

sub worker {
    my ($number) = @_;
    while (defined(my $item = $work->dequeue())) {
        $results->enqueue($item * $item);
        $few->down();
        { lock($inside); $inside++; $most = $inside if $inside > $most; }
        { lock($inside); $inside--; }
        $few->up();
        lock($counter);
        $counter++;
    }
    # Everyone in turn, which waits on a condition.
    for my $round (0 .. 49) {
        lock($turn);
        cond_wait($turn) while $turn != $round * $workers + $number;
        $turn++;
        cond_broadcast($turn);
    }
    return $number;
}

my @threads = map { threads->create(\&worker, $_) } 0 .. $workers - 1;
$work->enqueue($_) for 1 .. $rounds;
$work->end();
my @ended = map { $_->join() } @threads;
$results->end();
my $sum = 0;
while (defined(my $item = $results->dequeue())) {
    $sum += $item;
}

# A deadline that passes.
my $never : shared = 0;
my $in_time;
{ lock($never); $in_time = cond_timedwait($never, time() + 1) ? 1 : 0; }

die "the semaphore let $most in\n" if $most > 2;
print "counter $counter sum $sum turn $turn in time $in_time ended @ended\n";
