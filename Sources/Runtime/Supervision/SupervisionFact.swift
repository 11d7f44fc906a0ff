package import EventLog

/// Something that happened to a process, as the log should know it.
package struct SupervisionFact: Hashable, Sendable {
    /// What became of the process.
    package enum What: Hashable, Sendable {
        /// For the first time in this life.
        case ready
        /// `outcome` mostly as `ChildExit` says it, else a word for people; `expected` when it was asked to stop.
        case exited(outcome: String, expected: Bool)
    }

    package var process: String
    package var pid: Int32
    package var what: What
    /// Business time.
    package var occurred: Timestamp

    package init(process: String, pid: Int32, what: What, occurred: Timestamp) {
        self.process = process
        self.pid = pid
        self.what = what
        self.occurred = occurred
    }
}
