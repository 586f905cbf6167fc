package pickleproto

// progress is how far the pickler is with a long container: what is left of it will take about as
// much room, in the output and in the memo, as what is done took. So both grow once or twice and not
// by doubling, which for a long message is mostly copying, and first touching memory. The zero
// progress is that of no container.
type progress struct {
	done, all int // items
	output    int // length of the output before the first item
	memo      int // entries of the memo before the first item

	looked int // done, when the forecast was last looked at
	length int // of the output at the end, as it was forecast then
	steady bool
}

// The first items may be the largest, so what is forecast is not believed at once: something may grow to
// so many times its size because of it, or, where the forecast has stayed about the same while four times
// as many items were done, to so many.
const (
	mostForesight   = 4
	steadyForesight = 16
)

// beginItems notes that n items follow. It reports whether they are the ones that progress is
// about, for which itemsDone and endItems are then to be called: it is about one container at a
// time, the outermost of the long ones.
func (e *encoder) beginItems(n int) bool {
	if n <= batchSize || e.progress.all > 0 {
		return false
	}
	e.progress = progress{all: n, output: len(e.buf), memo: e.memo.len()}
	return true
}

func (e *encoder) itemsDone(n int) {
	p := &e.progress
	p.done += n
	if p.done >= 4*p.looked {
		length := p.forecast(p.output, len(e.buf))
		p.steady = p.looked > 0 && max(length-p.length, p.length-length) <= length/8
		p.looked, p.length = p.done, length
	}
	e.memo.foreseen = p.foresee(p.memo, e.memo.len())
}

func (e *encoder) endItems() {
	e.progress, e.memo.foreseen = progress{}, 0
}

// forecast returns what something that was at begin when the container began, and is at now, will be at
// its end if it goes on like this, and a little more; 0 if there is no telling.
func (p *progress) forecast(begin, now int) int {
	if p.done == 0 {
		return 0
	}
	return now + int(float64(now-begin)/float64(p.done)*float64(p.all-p.done)*(1+1.0/16))
}

// foresee is forecast as far as it is to be believed. Where that takes two steps, the first of them is
// the small one.
func (p *progress) foresee(begin, now int) int {
	times := mostForesight
	if p.steady {
		times = steadyForesight
	}
	end := p.forecast(begin, now)
	if end <= times*now {
		return end
	}
	return min(times*now, max(2*now, end/times))
}

// grownSize returns the size to which something of size now, of which at least least is needed, is to
// grow if foreseen is what it will take in the end.
func grownSize(now, least, foreseen int) int {
	if foreseen < least {
		return max(least, 2*now)
	}
	return foreseen
}
