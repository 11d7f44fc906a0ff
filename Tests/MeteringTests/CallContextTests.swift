import EventLog
import FinOps
import Metering
import Testing

@Suite struct CallContextTests {
    private func context(_ headers: [String: String], _ body: String = #"{"model":"a"}"#, key: String = "k") throws
        -> CallContext
    {
        let facts = try Metered.facts("/v1/chat/completions", body)
        return Array(key.utf8).withUnsafeBufferPointer { CallContext(header: { headers[$0] }, facts: facts, key: $0) }
    }

    @Test func headersWinOverTheBodysMetadata() throws {
        let body = #"{"model":"a","metadata":{"finops_task_type":"b1","task_type":"b2","intent":"b3","team":"x"}}"#
        let said = try context(["x-finops-intent": "h", "x-finops-metadata": #"{"team":"y","n":5}"#], body)
        #expect(said.taskType == "b1")
        #expect(said.intent == "h")
        #expect(said.metadata == ["team": "y", "n": "5"])
        #expect(said.wire.metadata == said.metadata)
    }

    @Test func whatIsSaidIsBoundedAndPrintable() throws {
        let long = String(repeating: "é", count: 300)
        let pairs = (10..<30).map { #""k\#($0)":"\#(long)""# }.joined(separator: ",")
        let said = try context(
            ["x-finops-feature": "a\u{0}\n\u{1B}[31m\u{202E}b" + long], #"{"model":"a","metadata":{\#(pairs)}}"#)
        #expect(said.feature.unicodeScalars.count == 64)
        #expect(said.feature.hasPrefix("a[31mb"))
        #expect(said.metadata.count == 16)
        #expect(said.metadata.values.allSatisfy { $0.unicodeScalars.count == 256 })
        #expect(try context(["x-finops-metadata": "{broken"]).metadata.isEmpty)
    }

    @Test func aUserIsAPseudonymThatDependsOnTheKey() throws {
        let said = try context([:], #"{"model":"a","user":"anna@example.com"}"#)
        #expect(said.user.hasPrefix("user-") && said.user.utf8.count == 37)
        #expect(said == (try context(["x-finops-user": "anna@example.com"])))
        #expect(said.user != (try context(["x-finops-user": "anna@example.com"], key: "l")).user)
        let claude = try context([:], #"{"model":"a","metadata":{"user_id":"anna@example.com"}}"#)
        #expect(claude.user == said.user && claude.metadata.isEmpty)
    }

    @Test func valuesTooManyBecomeOther() throws {
        var register = ContextRegister(limit: 3, userLimit: 2)
        let now = Timestamp(seconds: 1_795_143_600)
        func admit(_ task: String, _ project: String) throws -> String {
            register.admit(try context(["x-finops-task-type": task]), project: project, at: now).taskType
        }
        for task in ["a", "b", "c"] { #expect(try admit(task, "p") == task) }
        #expect(try admit("d", "p") == "other")
        #expect(try admit("a", "p") == "a")
        #expect(try admit("d", "q") == "d")
    }

    @Test func whatWasAdmittedIsKnownAfterARestartAndFromOtherGateways() throws {
        let now = Timestamp(seconds: 1_795_143_600)
        var register = ContextRegister()
        func task(_ name: String, _ register: inout ContextRegister, at now: Timestamp) throws -> String {
            register.admit(try context(["x-finops-task-type": name]), project: "p", at: now).taskType
        }
        for number in 0..<150 { _ = try task("own-\(number)", &register, at: now) }
        for number in 0..<50 {
            var call = WireCallRecorded()
            (call.project, call.started, call.context.taskType) = ("p", now.microseconds, "theirs-\(number)")
            register.take(call)
            register.take(call)
        }
        var back = try ContextRegister(snapshot: try register.snapshot())
        #expect(try task("new", &back, at: now) == ContextRegister.other)
        #expect(try task("own-149", &back, at: now) == "own-149" && task("theirs-49", &back, at: now) == "theirs-49")
        // What nobody has said for long makes room, and what was said lately does not.
        let later = now.advanced(bySeconds: 91 * 86_400)
        #expect(try task("own-1", &back, at: now.advanced(bySeconds: 80 * 86_400)) == "own-1")
        #expect(try task("new", &back, at: later) == "new" && task("own-1", &back, at: later) == "own-1")
        #expect(try ContextRegister(snapshot: try back.snapshot()).snapshot() == back.snapshot())
        #expect(throws: (any Error).self) { try ContextRegister(snapshot: [1]) }
    }
}
