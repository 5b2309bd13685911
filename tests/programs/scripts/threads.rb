# SPDX-License-Identifier: MIT OR Apache-2.0
# Threads with queues, locks, condition variables, time-outs, a forked child and input that waits; prints what came out.
require 'timeout'
require 'socket'

rounds = Integer(ARGV[0])
WORKERS = 4

work = SizedQueue.new(16)
results = Queue.new
counter = 0
mutex = Mutex.new
turn = 0
turn_changed = ConditionVariable.new

threads = WORKERS.times.map do |number|
  Thread.new do
    while (item = work.pop)
      results << item * item
      mutex.synchronize { counter += 1 }
    end
    50.times do |round|
      mutex.synchronize do
        turn_changed.wait(mutex) until turn == round * WORKERS + number
        turn += 1
        turn_changed.broadcast
      end
    end
  end
end
(1..rounds).each { |i| work << i }
work.close
threads.each(&:join)
results.close
sum = 0
while (item = results.pop)
  sum += item
end

# Time-outs, in Ruby's own thread for them.
timed_out = 10.times.count do
  Timeout.timeout(0.01) { Queue.new.pop } && false
rescue Timeout::Error
  true
end

# Threads that sleep in the kernel on a pipe while others go on.
reader, writer = IO.pipe
echo = Thread.new { reader.read }
20.times { |i| Thread.new { writer.write("#{i % 10}") }.join }
writer.close
written = echo.value.length

# A child that starts threads of its own, while this process has some.
keep = Queue.new
sleeper = Thread.new { keep.pop }
child = fork do
  total = 4.times.map { |i| Thread.new { (1..100).sum * i } }.sum(&:value)
  exit!(total == 30_300 ? 0 : 1)
end
_, status = Process.wait2(child)
keep << 1
sleeper.join

puts "counter #{counter} sum #{sum} turn #{turn} timed out #{timed_out} written #{written} child #{status.exitstatus}"
