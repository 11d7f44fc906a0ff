import CSandboxTrace
import Foundation

/// One call of the replayed service, as a line of the trace has it.
struct TraceCall: Equatable, Sendable {
    let contextTokens: Int64
    let generatedTokens: Int64
}

/// A trace file that is not one: which line, and why.
struct TraceMalformed: Error, CustomStringConvertible {
    let line: Int
    let reason: String

    var description: String { "trace line \(line): \(reason)" }
}

/// Reads traces in the columns of the Azure LLM inference trace. Only the order of the calls and their tokens are
/// used; when they happen is `Week`'s rule.
enum Trace {
    static let header = "TIMESTAMP,ContextTokens,GeneratedTokens"

    /// The trace compiled into this program.
    static func embedded() throws -> [TraceCall] {
        let bytes = UnsafeRawBufferPointer(start: finops_sandbox_trace(), count: finops_sandbox_trace_length())
        return try parse(Array(bytes))
    }

    static func file(_ path: String) throws -> [TraceCall] {
        try parse(Array(try Data(contentsOf: URL(fileURLWithPath: path))))
    }

    /// - Throws: `TraceMalformed` for a wrong heading, a line without three columns or a count that is no whole number.
    static func parse(_ bytes: [UInt8]) throws -> [TraceCall] {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true).makeIterator()
        let heading = lines.next().map {
            String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
        guard heading == header else { throw TraceMalformed(line: 1, reason: "the heading is not \(header)") }
        var calls: [TraceCall] = []
        while let line = lines.next() {
            let columns = line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            guard columns.count == 3, let context = count(columns[1]), let generated = count(columns[2]) else {
                throw TraceMalformed(line: calls.count + 2, reason: "not a time and two token counts")
            }
            calls.append(TraceCall(contextTokens: context, generatedTokens: generated))
        }
        return calls
    }

    private static func count(_ bytes: ArraySlice<UInt8>) -> Int64? {
        let digits = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
        guard let value = Int64(String(decoding: digits, as: UTF8.self)), (0...1_000_000_000).contains(value) else {
            return nil
        }
        return value
    }
}
