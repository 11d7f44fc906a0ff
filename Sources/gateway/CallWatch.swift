import EventLog
import FinOps
import Metering
import NIOCore
import NIOHTTP1
import Proxy
import Spool
import Synchronization

/// Watches one attempt: reads what it used while it passes, and has it kept before its end is released.
final class CallWatch: CallObserving {
    private struct Seen {
        /// As far as it is known.
        var event: WireCallRecorded
        var meter: ResponseMeter?
        var progress = UnderWayFile.Progress()
        /// Among the calls under way.
        var place: Int?
        /// What was used is written there.
        var isTold = false
        /// The answer's id is, too, by which what it uses later is found.
        var isNamed = false
    }

    private let desk: CallDesk
    private let ticket: Admission.Ticket
    private let call: IncomingCall
    private let seen: Mutex<Seen>

    /// - Parameter place: among the calls under way.
    init(_ call: IncomingCall, _ ticket: Admission.Ticket, begun: WireCallRecorded, place: Int?, desk: CallDesk) {
        self.call = call
        self.ticket = ticket
        self.desk = desk
        seen = Mutex(Seen(event: begun, place: place))
    }

    func sent() {
        seen.withLock { seen in
            seen.progress.isSent = true
            note(seen)
            guard call.isUpload else { return }
            let facts = call.factsNow
            seen.event.streamed = facts.streams
            seen.event.quantities = MeterReading.useOfRequest(call.match.route, facts)
        }
    }

    func answered(status: HTTPResponseStatus, headers: HTTPHeaders) -> HTTPHeaders {
        var headers = headers
        let isChanged = call.facts.splice != nil
        let type = headers.first(name: "content-type")
        if isChanged { headers.remove(name: "content-length") }
        // Clients follow with the key that they have for us: where to, no upstream may choose.
        if (300..<400).contains(status.code) { headers.remove(name: "location") }
        headers.replaceOrAdd(name: "x-finops-call", value: call.attempt.call)
        seen.withLock { seen in
            seen.progress.status = UInt32(status.code)
            seen.progress.firstByte = max(1, call.microsecondsSoFar)
            note(seen)
            seen.event.upstreamRequest = CallContext.printable(
                headers.first(name: "x-request-id") ?? headers.first(name: "request-id")
                    ?? headers.first(name: "apim-request-id") ?? "")
            seen.meter = ResponseMeter(call.match.route, call.factsNow, status: Int(status.code), contentType: type)
        }
        return headers
    }

    func received(_ bytes: ByteBuffer, isLast: Bool) -> ByteBuffer {
        seen.withLock { seen in
            let relay = bytes.withUnsafeReadableBytes { seen.meter?.receive($0) ?? .unchanged }
            if !isLast { writeDown(&seen) }
            return switch relay {
            case .unchanged: bytes
            case .replaced(let other): ByteBuffer(bytes: other)
            }
        }
    }

    /// What the next run has to know if this one is killed before more comes.
    private func writeDown(_ seen: inout Seen) {
        if let output = seen.meter?.outputSoFar, output != seen.progress.output {
            seen.progress.output = output
            note(seen)
        }
        if !seen.isNamed, let answer = seen.meter?.laterAnswer {
            seen.isNamed = true
            seen.event.pendingAnswer = answer
            seen.place = desk.underWay.replace(seen.place, with: seen.event, bound: ticket.bound, seen.progress)
        }
        // Clients take this for the whole answer, and a kill may come before its end.
        if !seen.isTold, let told = seen.meter?.told {
            seen.isTold = true
            var event = seen.event
            close(&event, as: .complete, seen.progress)
            told.write(to: &event)
            seen.place = desk.underWay.replace(seen.place, with: event, bound: ticket.bound)
        }
    }

    private func note(_ seen: borrowing Seen) { desk.underWay.note(seen.progress, at: seen.place) }

    private func close(_ event: inout WireCallRecorded, as end: AnswerEnd, _ progress: UnderWayFile.Progress) {
        event.ended = end.rawValue
        event.status = progress.status
        event.firstByte = progress.firstByte
        event.duration = call.microsecondsSoFar
    }

    func ended(_ end: CallEnd) -> ByteBuffer {
        seen.withLock { seen in
            let answerEnd = AnswerEnd(end)
            var rest: [UInt8] = []
            let reading: MeterReading
            if let finished = seen.meter?.finish(answerEnd) {
                (rest, reading) = finished
            } else {
                reading = .unanswered(call.match.route, call.factsNow, answerEnd, isSent: seen.progress.isSent)
            }
            seen.meter = nil
            // Official clients leave at a stream's last event and do not wait for the end of its transfer.
            let isWhole = end == .clientGone && reading.isLastWordHeard
            close(&seen.event, as: isWhole ? .complete : answerEnd, seen.progress)
            let place = seen.place
            // It is another call's from now on.
            seen.place = nil
            desk.record(&seen.event, call, ticket, reading, place: place)
            return rest.isEmpty ? ByteBuffer() : ByteBuffer(bytes: rest)
        }
    }

    func answer(insteadOf end: CallEnd) -> ProxyAnswer {
        let name = ticket.door.facts.name
        return desk.answer(end == .timedOut ? .timedOut(upstream: name) : .unreachable(upstream: name), call)
    }
}
