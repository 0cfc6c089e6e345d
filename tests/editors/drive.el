;;; drive.el --- Drives Emacs through one session, and writes down what it saw as JSON  -*- lexical-binding: t; -*-

(require 'saliscope)
(require 'flymake)
(require 'json)

(setq saliscope-command (list (getenv "SALISCOPE_PYTHON") "-m" "saliscope.cli" "lsp")
      saliscope-settings '(:model "demo-encoder" :method "occlusion" :granularity "word")
      eglot-sync-connect 60
      eglot-connect-timeout 120
      eglot-autoshutdown t)

(defvar drive-seen nil)

(defun drive-until (what ask)
  "Wait until ASK is true, and return that; WHAT is said where it never is."
  (let ((end (+ (float-time) 120)) answer)
    (while (not (setq answer (funcall ask)))
      (when (> (float-time) end) (error "Waited in vain until %s" what))
      (accept-process-output nil 0.05))
    answer))

(defun drive-overlays ()
  "Text and face of each coloured word, in order of place."
  (let ((found (seq-filter (lambda (one) (overlay-get one 'saliscope)) (overlays-in (point-min) (point-max)))))
    (mapcar (lambda (one)
              (vector (buffer-substring-no-properties (overlay-start one) (overlay-end one))
                      (format "%s" (overlay-get one 'face))))
            (sort found (lambda (a b) (< (overlay-start a) (overlay-start b)))))))

(defun drive-face (word)
  "The face of WORD, nil where it has none."
  (let ((found (seq-find (lambda (one) (equal (aref one 0) word)) (drive-overlays))))
    (and found (aref found 1))))

(defun drive-note (key value) (push (cons key value) drive-seen))

(defun drive-run (server)
  "Have SERVER explain the whole buffer, and wait for that."
  (jsonrpc-request server :workspace/executeCommand
                   (list :command "saliscope.runFile" :arguments (vector (eglot--path-to-uri buffer-file-name)))
                   :timeout 120))

(defun drive ()
  (find-file (getenv "SALISCOPE_TEXT"))
  (text-mode)
  (saliscope-ensure)
  ;; Batch has no commands after which the connection would be made.
  (run-hooks 'post-command-hook)
  (let ((server (drive-until "there is a server" #'eglot-current-server)))
    (drive-note 'class (symbol-name (eieio-object-class server)))
    (drive-run server)
    (drive-until "words are coloured"
                 (lambda () (and (string-search "against" (or (drive-face "lifeless") "")) (drive-face "charming"))))
    (drive-note 'overlays (vconcat (drive-overlays)))
    (goto-char (point-min))
    (search-forward "lifeless")
    (goto-char (match-beginning 0))
    (let ((hover (jsonrpc-request server :textDocument/hover (eglot--TextDocumentPositionParams))))
      (drive-note 'hover (plist-get (plist-get hover :contents) :value)))
    (flymake-start)
    (drive-until "the problem is there" #'flymake-diagnostics)
    (drive-note 'problems
                (vconcat (mapcar (lambda (one)
                                   (vector (line-number-at-pos (flymake-diagnostic-beg one))
                                           (format "%s" (flymake-diagnostic-type one))
                                           (flymake-diagnostic-text one)))
                                 (flymake-diagnostics))))
    ;; Typing: overlays move with the text, and the new word gets its own.
    (goto-char (point-min))
    (insert "\n")
    (drive-note 'moved (vconcat (drive-overlays)))
    (search-forward "slow")
    (replace-match "boring")
    (eglot--signal-textDocument/didChange)
    (drive-until "the new word is coloured"
                 (lambda () (= 2 (seq-count (lambda (one) (equal one ["boring" "saliscope-for-3"])) (drive-overlays)))))
    (drive-note 'typed (vconcat (drive-overlays)))
    ;; Commands as a person runs them, and an action of which the answer is meant for the person.
    (goto-char (point-min))
    (search-forward "lifeless")
    (drive-note 'labels (vconcat (saliscope--labels)))
    (drive-note 'masked (saliscope-mask))
    (eglot-execute-command server 'saliscope.copyJson (vector (saliscope--uri) (saliscope--place)))
    (drive-note 'copied (current-kill 0))
    (saliscope-set-method "input-x-gradient")
    (drive-run server)
    (drive-note 'method (plist-get (plist-get (saliscope--ask "record" (saliscope--uri) (saliscope--place)) :explanation)
                                   :method))
    (saliscope-set-method nil)
    (drive-note 'mispredicted (plist-get (drive-run server) :mispredicted))
    (set-buffer-modified-p nil)
    (eglot-shutdown server)
    (drive-until "the colours are gone" (lambda () (null (drive-overlays))))
    (drive-note 'ended t)))

(condition-case problem (drive)
  (error (drive-note 'error (error-message-string problem))))
(with-temp-file (getenv "SALISCOPE_SEEN") (insert (json-encode drive-seen)))
(kill-emacs 0)
