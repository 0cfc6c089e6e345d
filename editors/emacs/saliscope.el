;;; saliscope.el --- See why a text model said what it said  -*- lexical-binding: t; -*-

;; Package-Requires: ((emacs "28.1") (eglot "1.9"))

;;; Commentary:

;; Starts `saliscope lsp' by eglot, and draws its scores as overlays:
;;
;;   (require 'saliscope)
;;   (setq saliscope-settings '(:model "demo-encoder"))
;;   (add-hook 'text-mode-hook #'saliscope-ensure)

;;; Code:

(require 'eglot)
(require 'cl-lib)

(defgroup saliscope nil "See why a text model said what it said." :group 'tools)

(defcustom saliscope-command '("saliscope" "lsp") "The server." :type '(repeat string))

(defcustom saliscope-settings nil
  "What the settings `saliscope.*' say, as a property list."
  :type 'plist)

(defcustom saliscope-modes '(text-mode)
  "The modes that get the server; those derived from them do too."
  :type '(repeat symbol))

(defface saliscope-for-1 '((((background light)) :background "#d8e8f8") (t :background "#15324e")) "Weak, for.")
(defface saliscope-for-2 '((((background light)) :background "#90bfec") (t :background "#1f62a4")) "Medium, for.")
(defface saliscope-for-3
  '((((background light)) :background "#1c66ac" :foreground "#ffffff")
    (t :background "#74bcff" :foreground "#0a121b"))
  "Strong, for.")
(defface saliscope-against-1 '((((background light)) :background "#fde6cf") (t :background "#46290f")) "Weak, against.")
(defface saliscope-against-2 '((((background light)) :background "#f6b26b") (t :background "#a0500f")) "Medium, against.")
(defface saliscope-against-3
  '((((background light)) :background "#b85000" :foreground "#ffffff")
    (t :background "#ffad61" :foreground "#0a121b"))
  "Strong, against.")
(defface saliscope-stale '((t :underline t)) "A word of a record that is being explained anew.")

(defclass saliscope-server (eglot-lsp-server) () "A server that draws.")

(cl-defmethod eglot-client-capabilities ((_server saliscope-server))
  "Ask for decorations too."
  (let ((own (copy-sequence (cl-call-next-method))))
    (plist-put own :experimental '(:saliscope (:decorations t)))))

(cl-defmethod eglot-initialization-options ((_server saliscope-server))
  "The settings of the user."
  (list :saliscope (or saliscope-settings (make-hash-table))))

(defvar-local saliscope--overlays nil "Id of a record -> its overlays.")

(defun saliscope--face (bucket stale)
  "The face of BUCKET, and that of words that are STALE."
  (let ((face (intern (format "saliscope-%s-%d" (if (> bucket 0) "for" "against") (abs bucket)))))
    (if (eq stale t) (list 'saliscope-stale face) face)))

(defun saliscope--erase (id)
  "Delete the overlays of record ID."
  (mapc #'delete-overlay (gethash id saliscope--overlays))
  (remhash id saliscope--overlays))

(defun saliscope--point (line column)
  "The place of LINE and COLUMN, both from 0, in the units of the server."
  (eglot--lsp-position-to-point (list :line line :character column)))

(defun saliscope--draw (record)
  "Draw RECORD."
  (let ((stale (plist-get record :stale)) (made nil))
    (seq-doseq (token (plist-get record :tokens))
      (let* ((line (elt token 0))
             (made-one (make-overlay (saliscope--point line (elt token 1)) (saliscope--point line (elt token 2)))))
        (overlay-put made-one 'face (saliscope--face (elt token 3) stale))
        (overlay-put made-one 'saliscope t)
        (overlay-put made-one 'evaporate t)
        (push made-one made)))
    (puthash (plist-get record :id) made saliscope--overlays)))

(defun saliscope--path (uri)
  "The file of URI, in whatever way this eglot says it."
  (if (fboundp 'eglot-uri-to-path) (eglot-uri-to-path uri) (eglot--uri-to-path uri)))

(defun saliscope--is-current (version)
  "Whether VERSION of the document is what this buffer has."
  (and (null (bound-and-true-p eglot--recent-changes))
       (equal version (or (bound-and-true-p eglot--docver) (bound-and-true-p eglot--versioned-identifier)))))

(defun saliscope--ask-again (buffer server uri ids)
  "Have SERVER send records IDS of URI again (nil: all).
That is done when BUFFER has sent its changes."
  (when (and (buffer-live-p buffer) (jsonrpc-running-p server))
    (if (buffer-local-value 'eglot--recent-changes buffer)
        (run-with-timer 0.5 nil #'saliscope--ask-again buffer server uri ids)
      (jsonrpc-async-request
       server :workspace/executeCommand (list :command "saliscope.decorations" :arguments (vector uri ids))))))

(defun saliscope--has-point (record)
  "Whether point is in RECORD, and something is known of its text now."
  (let* ((range (plist-get record :range)) (start (plist-get range :start)) (end (plist-get range :end)))
    (and (not (eq (plist-get record :stale) t))
         (<= (saliscope--point (plist-get start :line) (plist-get start :character))
             (point)
             (saliscope--point (plist-get end :line) (plist-get end :character))))))

(defvar eldoc--last-request-state)

(defun saliscope--say-again (records)
  "Have eldoc ask again if it speaks of one of RECORDS.
By itself it asks when point has moved."
  (when (and eldoc-mode eldoc-last-message
             (eq (current-buffer) (window-buffer (selected-window)))
             (save-restriction (widen) (seq-some #'saliscope--has-point records)))
    (setq eldoc--last-request-state nil)
    (eldoc-print-current-symbol-info)))

(cl-defmethod eglot-handle-notification
  ((server saliscope-server) (_method (eql saliscope/decorations))
   &key uri version reset records removed &allow-other-keys)
  "Draw what is new in URI; ask again if the text moved on since VERSION."
  (let ((buffer (find-buffer-visiting (saliscope--path uri))))
    (cond
     ((null buffer))
     ((not (with-current-buffer buffer (saliscope--is-current version)))
      (let ((ids (seq-into (seq-concatenate 'list removed (seq-map (lambda (one) (plist-get one :id)) records)) 'vector)))
        (run-with-timer 0.5 nil #'saliscope--ask-again buffer server uri (if (eq reset t) nil ids))))
     (t
      (with-current-buffer buffer
        (when (or (eq reset t) (null saliscope--overlays))
          (remove-overlays nil nil 'saliscope t)
          (setq saliscope--overlays (make-hash-table :test #'eql)))
        (seq-doseq (id removed) (saliscope--erase id))
        (save-excursion
          (save-restriction
            (widen)
            (seq-doseq (record records)
              (saliscope--erase (plist-get record :id))
              (saliscope--draw record))))
        (saliscope--say-again records))))))

(defun saliscope--clear ()
  "Take the colours away when eglot leaves the buffer."
  (unless (eglot-managed-p)
    (remove-overlays nil nil 'saliscope t)
    (setq saliscope--overlays nil)))

(add-hook 'eglot-managed-mode-hook #'saliscope--clear)

;; What a person runs.

(defun saliscope--place ()
  "Where point is, as the server counts."
  (eglot--pos-to-lsp-position))

(defun saliscope--uri ()
  "The document of this buffer, as the server calls it."
  (plist-get (eglot--TextDocumentIdentifier) :uri))

(defun saliscope--ask (command &rest arguments)
  "What the server answers to COMMAND with ARGUMENTS."
  (jsonrpc-request (eglot--current-server-or-lose) :workspace/executeCommand
                   (list :command (concat "saliscope." command) :arguments (vconcat arguments))
                   :timeout 600))

(defun saliscope--names (command)
  "The names that the server lists by COMMAND."
  (mapcar (lambda (one) (plist-get one :name)) (saliscope--ask command)))

(defun saliscope--labels ()
  "The classes of the record at point."
  (let ((likely (plist-get (saliscope--ask "record" (saliscope--uri) (saliscope--place)) :prediction)))
    (cl-loop for (name _) on (plist-get likely :probabilities) by #'cddr collect (substring (symbol-name name) 1))))

(defun saliscope--choose (what names)
  "Have the user choose WHAT among NAMES; nothing is nil: as the settings say."
  (let ((chosen (completing-read (format "%s (empty: as set): " what) names)))
    (unless (string-empty-p chosen) chosen)))

(defun saliscope-set-model (name)
  "Explain model NAME in this buffer."
  (interactive (list (saliscope--choose "Model" (saliscope--names "models"))))
  (saliscope--ask "setModel" (saliscope--uri) name))

(defun saliscope-set-method (name)
  "Explain by method NAME in this buffer."
  (interactive (list (saliscope--choose "Method" (saliscope--names "methods"))))
  (saliscope--ask "setMethod" (saliscope--uri) name))

(defun saliscope-set-target (name)
  "Explain class NAME in this buffer."
  (interactive (list (saliscope--choose "Class" (saliscope--labels))))
  (saliscope--ask "setTarget" (saliscope--uri) name))

(defun saliscope-compare (name)
  "Explain the record at point by method NAME too; eldoc shows both."
  (interactive (list (completing-read "Method: " (saliscope--names "methods"))))
  (saliscope--ask "compare" (saliscope--uri) (saliscope--place) name))

(defun saliscope-mask ()
  "Predict the record without the word at point."
  (interactive)
  (message "saliscope: %s" (plist-get (saliscope--ask "mask" (saliscope--uri) (saliscope--place)) :message)))

(defun saliscope-run-file ()
  "Explain the whole buffer, and count the records that are mispredicted."
  (interactive)
  (let ((found (saliscope--ask "runFile" (saliscope--uri))))
    (message "saliscope: %d records, %d mispredicted"
             (length (plist-get found :records)) (plist-get found :mispredicted))))

(defun saliscope--copy (found)
  "Have FOUND in the kill ring, as JSON."
  (kill-new (json-encode found))
  (message "saliscope: the explanation is in the kill ring"))

(defun saliscope-copy-json ()
  "Copy the explanation of the record at point."
  (interactive)
  (saliscope--copy (saliscope--ask "copyJson" (saliscope--uri) (saliscope--place))))

(cl-defmethod eglot-execute-command ((_server saliscope-server) (_command (eql saliscope.copyJson)) _arguments)
  "As a code action: what is answered is what is copied."
  (saliscope--copy (cl-call-next-method)))

;;;###autoload
(defun saliscope-ensure ()
  "Have the server for this buffer."
  (interactive)
  (add-to-list 'eglot-server-programs (cons saliscope-modes (cons 'saliscope-server saliscope-command)))
  (eglot-ensure))

(provide 'saliscope)
;;; saliscope.el ends here
